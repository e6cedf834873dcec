import Foundation
import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import TestSupport
import Testing

@Suite struct GGUFTests {
  @Test(arguments: ["small.gguf", "version2.gguf"])
  func readsTheLibrarysFile(name: String) throws {
    let checkpoint = try Checkpoint.open(fixture(name))
    #expect(checkpoint.format == .gguf)
    let metadata = checkpoint.metadata
    #expect(metadata.keys.first == "general.architecture")
    #expect(metadata["general.architecture"] == .string("llama"))
    #expect(metadata["llama.block_count"] == .uint32(1))
    #expect(metadata["t.u8"] == .uint8(200))
    #expect(metadata["t.i8"] == .int8(-5))
    #expect(metadata["t.u16"] == .uint16(60000))
    #expect(metadata["t.i16"] == .int16(-300))
    #expect(metadata["t.i32"] == .int32(-70000))
    #expect(metadata["t.u64"] == .uint64(1 << 63 + 1))
    #expect(metadata["t.i64"] == .int64(-1 << 40))
    #expect(metadata["t.f32"] == .float32(0.1))
    #expect(metadata["t.f64"] == .float64(0.1))
    #expect(metadata["t.bool"] == .bool(true))
    #expect(metadata["t.text"] == .string("grüße"))
    #expect(metadata["t.strings"] == .strings(["a", "", "Ġthe", "▁x"]))
    #expect(metadata["t.floats"] == .float32s([0.5, -1.25]))
    #expect(metadata["t.ints"] == .int32s([1, -2, 3]))
    #expect(metadata["t.bools"] == .array(element: .bool, [.bool(true), .bool(false)]))

    #expect(
      checkpoint.tensors.map(\.name) == ["token_embd.weight", "half", "blk.0.q8", "ints"])
    #expect(checkpoint["token_embd.weight"]?.shape == [2, 32])
    #expect(checkpoint["half"]?.bytes.copy() == [0, 0, 0, 0x3C, 0, 0x40])
    #expect(checkpoint["half"]?.type == .plain(.float16))
    #expect(checkpoint["blk.0.q8"]?.shape == [4, 32])
    #expect(checkpoint["blk.0.q8"]?.type == .blocks(.q8_0))
    #expect(checkpoint["blk.0.q8"]?.bytes.count == 4 * 34)
    #expect(checkpoint["ints"]?.shape == [1, 2, 3])
    #expect(try checkpoint.json("config.json") == nil)
  }

  @Test func writesTheLibrarysBytes() throws {
    let folder = try TemporaryFolder()
    let source = try Checkpoint.open(fixture("small.gguf"))
    let path = folder.path("out.gguf")
    let writer = try GGUFWriter(path: path, metadata: source.metadata, plans: source.plans)
    try writer.copy(source, pieceByteCount: 7)
    #expect(try fileBytes(path) == fileBytes(fixture("small.gguf")))
  }

  /// The worked example of the format notes, computed by hand.
  @Test func writesTheWorkedExample() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("example.gguf")
    var metadata = Metadata()
    metadata["general.architecture"] = .string("llama")
    metadata["llama.block_count"] = .uint32(1)
    metadata["a"] = .strings(["x", "yz"])
    metadata["b"] = .bool(true)
    let plans = [
      TensorPlan(name: "w", shape: [2, 3], type: .plain(.float32)),
      TensorPlan(name: "v", shape: [2], type: .plain(.float16)),
    ]
    let writer = try GGUFWriter(path: path, metadata: metadata, plans: plans)
    try writer.write([0x00, 0x00, 0x00, 0x3C], tensor: 1)
    let values: [Float] = [0, 1, 2, 3, 4, 5]
    try values.withUnsafeBytes { try writer.write($0, tensor: 0, at: 0) }
    try writer.finish()

    func length(_ count: UInt8) -> [UInt8] { [count, 0, 0, 0, 0, 0, 0, 0] }
    func text(_ string: String) -> [UInt8] { length(UInt8(string.utf8.count)) + string.utf8 }
    var expected = hexadecimal("47475546 03000000 0200000000000000 0400000000000000")
    expected += text("general.architecture") + [8, 0, 0, 0] + text("llama")
    expected += text("llama.block_count") + [4, 0, 0, 0, 1, 0, 0, 0]
    expected += text("a") + [9, 0, 0, 0, 8, 0, 0, 0] + length(2) + text("x") + text("yz")
    expected += text("b") + [7, 0, 0, 0, 1]
    expected += text("w") + [2, 0, 0, 0] + length(3) + length(2) + [0, 0, 0, 0] + length(0)
    expected += text("v") + [1, 0, 0, 0] + length(2) + [1, 0, 0, 0] + length(32)
    expected += [UInt8](repeating: 0, count: 0x100 - expected.count)
    expected += hexadecimal(
      "00000000 0000803f 00000040 00004040 00008040 0000a040 0000000000000000")
    expected += [0, 0, 0, 0x3C] + [UInt8](repeating: 0, count: 28)
    #expect(try fileBytes(path) == expected)
  }

  @Test func readsSplitFilesThroughTheFirst() throws {
    let checkpoint = try Checkpoint.open(fixture("split/tiny-00001-of-00003.gguf"))
    #expect(checkpoint.tensors.map(\.name) == ["a", "b", "c", "d", "e"])
    #expect(checkpoint["e"]?.bytes.copy().count == 32)
    #expect(checkpoint.metadata["llama.block_count"] == .uint32(1))
    #expect(checkpoint.metadata["split.count"] == nil)
    let error = #expect(throws: CheckpointError.self) {
      try Checkpoint.open(fixture("split/tiny-00002-of-00003.gguf"))
    }
    #expect(error?.description.contains("open the first, tiny-00001-of-00003.gguf") == true)
  }

  @Test func obeysTheAlignmentKey() throws {
    let folder = try TemporaryFolder()
    var metadata = Metadata()
    metadata["general.alignment"] = .uint32(128)
    let plans = (0..<3).map { TensorPlan(name: "t\($0)", shape: [5], type: .plain(.int8)) }
    let path = folder.path("aligned.gguf")
    let writer = try GGUFWriter(path: path, metadata: metadata, plans: plans)
    for index in 0..<3 {
      try writer.write([UInt8](repeating: UInt8(index + 1), count: 5), tensor: index)
    }
    try writer.finish()
    let checkpoint = try Checkpoint.open(path)
    #expect(checkpoint.tensors.allSatisfy { $0.bytes.offset % 128 == 0 })
    #expect(checkpoint["t2"]?.bytes.copy() == [3, 3, 3, 3, 3])
  }

  @Test func roundTripsEveryTypeAndValue() throws {
    let folder = try TemporaryFolder()
    var metadata = Metadata()
    metadata["b"] = .array(element: .uint8, [.uint8(1), .uint8(255)])
    metadata["a"] = .array(element: .float64, [.float64(-0.0), .float64(.pi)])
    metadata["empty"] = .strings([])
    metadata["none"] = .array(element: .int64, [])
    metadata["u"] = .uint32s([0, .max])
    let plans = GGMLType.allCases.map {
      TensorPlan(name: $0.name, shape: [3, 2 * $0.block.elementCount], type: StoredType($0))
    }
    let path = folder.path("types.gguf")
    let writer = try GGUFWriter(path: path, metadata: metadata, plans: plans)
    var random = RandomSource(seed: 1)
    var contents: [[UInt8]] = []
    for (index, type) in GGMLType.allCases.enumerated() {
      let bytes = (0..<6 * type.block.byteCount).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      try writer.write(bytes, tensor: index)
      contents.append(bytes)
    }
    try writer.finish()
    let checkpoint = try Checkpoint.open(path)
    #expect(checkpoint.metadata == metadata)
    #expect(checkpoint.tensors.map(\.type) == plans.map(\.type))
    #expect(checkpoint.tensors.map(\.shape) == plans.map(\.shape))
    #expect(checkpoint.tensors.map { $0.bytes.copy() } == contents)
  }

  @Test func writesScalarsAsOneElement() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("scalar.gguf")
    let plan = TensorPlan(name: "s", shape: [], type: .plain(.float32))
    let writer = try GGUFWriter(path: path, metadata: Metadata(), plans: [plan])
    try writer.write([1, 2, 3, 4], tensor: 0)
    try writer.finish()
    #expect(try Checkpoint.open(path)["s"]?.shape == [1])
  }

  @Test func refusesWhatGGUFCannotHold() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("x.gguf")
    func expectRefusal(
      _ plans: [TensorPlan], _ reason: String, metadata: Metadata = Metadata()
    ) {
      let error = #expect(throws: CheckpointError.self) {
        try GGUFWriter(path: path, metadata: metadata, plans: plans)
      }
      #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
      #expect(error?.description.contains("x.gguf") == true)
    }
    let plain = TensorPlan(name: "a", shape: [2], type: .plain(.float32))
    expectRefusal([plain, plain], "would stand twice")
    expectRefusal([TensorPlan(name: "a", shape: [2], type: .plain(.uint8))], "cannot hold U8")
    expectRefusal([TensorPlan(name: "a", shape: [33], type: .blocks(.q4_0))], "no whole number")
    expectRefusal([TensorPlan(name: "", shape: [2], type: .plain(.int8))], "1 to 63 bytes")
    expectRefusal(
      [TensorPlan(name: String(repeating: "n", count: 64), shape: [2], type: .plain(.int8))],
      "1 to 63 bytes")
    expectRefusal(
      [TensorPlan(name: "a", shape: [1, 1, 1, 1, 1], type: .plain(.int8))], "at most 4 dimensions")
    var metadata = Metadata()
    metadata["general.alignment"] = .uint32(3)
    expectRefusal([plain], "power of two", metadata: metadata)
    metadata = Metadata()
    metadata["nested"] = .array(element: .array, [.strings([])])
    expectRefusal([plain], "no plain", metadata: metadata)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
  }

  /// 256,000 tokens and 500,000 merges, as large vocabularies have them.
  @Test func readsLargeVocabulariesQuickly() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("vocabulary.gguf")
    var metadata = Metadata()
    metadata["tokenizer.ggml.tokens"] = .strings((0..<256_000).map { "Ġtoken\($0)" })
    metadata["tokenizer.ggml.merges"] = .strings((0..<500_000).map { "Ġto ken\($0)" })
    metadata["tokenizer.ggml.scores"] = .float32s((0..<256_000).map(Float.init))
    try GGUFWriter(path: path, metadata: metadata, plans: []).finish()
    var checkpoint: Checkpoint?
    let clock = ContinuousClock()
    let time = try clock.measure { checkpoint = try Checkpoint.open(path) }
    print("reading 756,000 strings took \(time)")
    #expect(checkpoint?.metadata == metadata)
    // Generous: other work shares the machine, and debug builds are slow.
    #expect(time < .seconds(10))
  }
}
