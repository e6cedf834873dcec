import Foundation
import Nibble
import TestSupport
import Testing

@Suite struct ContentHashTests {
  /// The examples of FIPS 180-4 as NIST publishes them.
  @Test func knownDigests() {
    #expect(
      digest(.sha256, Data("abc".utf8))
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      digest(.sha256, Data())
        == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      digest(.sha1, Data("abc".utf8)) == "a9993e364706816aba3e25717850c26c9cd0d89d")
    #expect(
      digest(.sha256, Data(repeating: UInt8(ascii: "a"), count: 1_000_000))
        == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test func piecesGiveTheSameDigest() throws {
    let data = sampleData(3_000_001)
    let folder = try TemporaryFolder()
    let file = folder.url.appending(path: "data")
    try data.write(to: file)
    var hash = ContentHash(.sha256)
    var position = 0
    while position < data.count {
      let piece = data[position..<min(position + 65_537, data.count)]
      piece.withUnsafeBytes { hash.update($0) }
      _ = hash.hexadecimalDigest()
      position += piece.count
    }
    #expect(hash.hexadecimalDigest() == digest(.sha256, data))
    #expect(try ContentHash.sha256(ofFile: file) == digest(.sha256, data))
  }

  @Test func missingFileIsAnError() {
    #expect(throws: PullError.self) {
      try ContentHash.sha256(ofFile: URL(filePath: "/nonexistent/file"))
    }
  }
}
