import Foundation
import NibbleCheckpoints
import NibbleTensors
import TestSupport
import Testing

/// Mutated inputs must be refused with an error or read consistently; a trap ends the test run.
@Suite struct FuzzTests {
  private struct Inconsistent: Error { var what: String }

  private func check(_ tensors: [TensorRecord]) throws {
    for tensor in tensors {
      guard try tensor.type.byteCount(shape: tensor.shape) == tensor.bytes.count else {
        throw Inconsistent(what: "\(tensor.name): shape and bytes differ")
      }
      guard tensor.elementCount == tensor.rowCount * tensor.columnCount else {
        throw Inconsistent(what: "\(tensor.name): element counts differ")
      }
      let sum = tensor.bytes.withUnsafeBytes { Int($0.first ?? 0) + Int($0.last ?? 0) }
      guard (0...510).contains(sum) else { throw Inconsistent(what: "\(tensor.name): bytes") }
    }
  }

  private func isOneLine(_ error: CheckpointError) throws {
    if error.description.contains(where: \.isNewline) {
      throw Inconsistent(what: "not one line: \(error.description)")
    }
  }

  @Test func safetensors() throws {
    let corpus = [
      try fileBytes(fixture("dtypes.safetensors")), try fileBytes(fixture("empty.safetensors")),
      try fileBytes(fixture("sharded/model-00001-of-00002.safetensors")),
    ]
    let words = [
      "\"dtype\"", "\"shape\"", "\"data_offsets\"", "\"F32\"", "\"F4\"", "[0,0]", "[]", "{", "}",
      "__metadata__", ",", "\\ud800", "\u{FEFF}",
    ]
    var acceptedCount = 0
    try fuzz("safetensors", count: 70_000, seed: 2026, corpus: corpus, words: words) { input in
      let tensors: [TensorRecord]
      do throws(CheckpointError) {
        tensors = try SafetensorsFile(Storage(copying: input).view).tensors
      } catch {
        return try isOneLine(error)
      }
      acceptedCount += 1
      try check(tensors)
    }
    // Changes of tensor bytes are harmless, so some inputs must be read.
    #expect(acceptedCount > 100)
  }

  @Test func gguf() throws {
    let corpus = try [
      "small.gguf", "version2.gguf", "split/tiny-00001-of-00003.gguf",
      "split/tiny-00003-of-00003.gguf",
    ].map { try fileBytes(fixture($0)) }
    let words = ["GGUF", "general.alignment", "split.count", "\u{09}\0\0\0\u{08}\0\0\0"]
    var acceptedCount = 0
    try fuzz("GGUF", count: 70_000, seed: 2027, corpus: corpus, words: words) { input in
      let tensors: [TensorRecord]
      do throws(CheckpointError) {
        tensors = try GGUFFile(Storage(copying: input).view).tensors
      } catch {
        return try isOneLine(error)
      }
      acceptedCount += 1
      try check(tensors)
    }
    #expect(acceptedCount > 100)
  }

  @Test func json() throws {
    let corpus = [
      try fileBytes(fixture("sharded/model.safetensors.index.json")),
      Array(try fileBytes(fixture("dtypes.safetensors"))[8..<1504]),
      Array(#"{"a":[1,-2.5e-3,true,false,null,"\u00e9\ud83d\ude00\n",{"b":[[[]]]}],"c":""}"#.utf8),
    ]
    let words = ["[", "{\"", "\"", "\\u", "\\ud83d", "\\ude00", "1e", "-", "true", ",", ":"]
    var acceptedCount = 0
    try fuzz("JSON and the index", count: 70_000, seed: 2028, corpus: corpus, words: words) {
      input in
      let value: JSONValue
      do throws(CheckpointError) {
        value = try JSONValue.parse(input)
      } catch {
        return try isOneLine(error)
      }
      acceptedCount += 1
      guard try JSONValue.parse(value.text(.compact)) == value,
        try JSONValue.parse(value.text(.indented(2))) == value
      else { throw Inconsistent(what: "written and read again, the value differs") }
      do throws(CheckpointError) {
        _ = try SafetensorsIndex(value)
      } catch {
        try isOneLine(error)
      }
    }
    #expect(acceptedCount > 100)
  }

  /// The mutator gives the same inputs for the same seed.
  @Test func mutationsAreRepeatable() {
    let corpus = [Array("the quick brown fox 123".utf8), Array("{\"shape\":[1,2]}".utf8)]
    var first = Mutator(seed: 5, words: ["x"])
    var second = Mutator(seed: 5, words: ["x"])
    for _ in 0..<1000 { #expect(first.next(corpus) == second.next(corpus)) }
  }
}
