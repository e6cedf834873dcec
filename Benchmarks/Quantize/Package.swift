// swift-tools-version:6.2
import PackageDescription

let package = Package(
  name: "quantize-benchmark",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "nibble", path: "../..")],
  targets: [
    .executableTarget(
      name: "quantize-speed", dependencies: [.product(name: "Nibble", package: "nibble")])
  ]
)
