// swift-tools-version:6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// A library target and the product targets that it may see. Arrows point one way only (Docs/Architecture.md).
func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(
    name: name, dependencies: dependencies + ["TestSupport"], swiftSettings: swiftSettings)
}

let openBLAS: Target.Dependency = .target(name: "COpenBLAS", condition: .when(platforms: [.linux]))

let package = Package(
  name: "nibble",
  platforms: [.macOS(.v15), .iOS(.v18)],
  products: [
    .library(name: "Nibble", targets: ["Nibble"]),
    .executable(name: "nibble", targets: ["nibble-cli"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
  ],
  targets: [
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CNibbleKernels", cSettings: [.headerSearchPath(".")]),
    library("NibbleTensors", ["CNibbleKernels", openBLAS]),
    library("NibbleQuantization", ["NibbleTensors", "CNibbleKernels"]),
    library("NibbleCheckpoints", ["NibbleTensors", "NibbleQuantization"]),
    library(
      "NibbleModels",
      ["NibbleTensors", "NibbleQuantization", "NibbleCheckpoints", "CNibbleKernels"]),
    library(
      "NibbleEvaluation",
      ["NibbleTensors", "NibbleCheckpoints", "NibbleModels", "CNibbleKernels"]),
    library(
      "NibbleWorkflows",
      [
        "NibbleTensors", "NibbleQuantization", "NibbleCheckpoints", "NibbleModels",
        "NibbleEvaluation", "CZlib",
        .target(name: "COpenSSL", condition: .when(platforms: [.linux])),
      ]),
    library(
      "Nibble",
      [
        "NibbleTensors", "NibbleQuantization", "NibbleCheckpoints", "NibbleModels",
        "NibbleEvaluation", "NibbleWorkflows",
      ]),
    .executableTarget(
      name: "nibble-cli",
      dependencies: [
        "Nibble", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "TestSupport", path: "Tests/TestSupport", swiftSettings: swiftSettings),
    .target(
      name: "CKernelChecks", dependencies: ["CNibbleKernels"], path: "Tests/CKernelChecks"),
    tests("NibbleTensorsTests", ["NibbleTensors", "CNibbleKernels", "CKernelChecks"]),
    tests(
      "NibbleQuantizationTests",
      ["NibbleQuantization", "NibbleTensors", "CNibbleKernels", "CKernelChecks"]),
    tests("NibbleCheckpointsTests", ["NibbleCheckpoints", "NibbleQuantization", "NibbleTensors"]),
    tests(
      "NibbleModelsTests",
      ["NibbleModels", "NibbleCheckpoints", "NibbleQuantization", "NibbleTensors"]),
    tests(
      "NibbleEvaluationTests",
      ["NibbleEvaluation", "NibbleModels", "NibbleCheckpoints", "NibbleTensors"]),
    tests("NibbleWorkflowsTests", ["Nibble"]),
    tests("CommandTests", ["nibble-cli", "Nibble"]),
  ],
  cLanguageStandard: .c11
)
