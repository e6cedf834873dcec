import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import TestSupport
import Testing

@Suite struct HQQFormatTests {
  private static func format() throws -> HQQFormat {
    let config = try JSONValue.parse(#"{"quantization_config":{"quant_method":"hqq"}}"#)
    return try #require(try HQQFormat.announced { $0 == "config.json" ? config : nil })
  }

  @Test("Layers that hqq made have the values of their codes, zeros and scales")
  func goldens() throws {
    let records = try Checkpoint.open(Fixtures.path("hqq-layers/arrays.safetensors")).tensors
    let values = try Checkpoint.open(Fixtures.path("hqq-layers/values.safetensors")).tensors
    let (tensors, notes) = try Self.format().gather(records)
    #expect(notes.isEmpty)
    // Layers, the bias of one, and a norm.
    #expect(tensors.count == values.count + 2)
    for expected in values {
      let tensor = try #require(tensors.first { $0.name == expected.name })
      #expect(tensor.shape == expected.shape)
      let actual = try tensor.quantizedTensor().dequantized()
      if expected.name.contains("gate_proj") {
        // Zeros and scales in single precision: their product is rounded.
        let largest = MLXSamples.floats(expected).map(abs).max() ?? 0
        #expect(
          zip(actual, MLXSamples.floats(expected)).allSatisfy { abs($0 - $1) <= largest * 0x1p-20 })
      } else {
        #expect(actual == MLXSamples.floats(expected), "\(tensor.name)")
      }
    }
  }

  /// Bits, codes of groups of one, and the bytes of their words.
  private static let examples: [(bits: Int, codes: [UInt8], bytes: [UInt8])] = [
    (1, [1, 0, 1, 1, 0, 0, 1, 0], [178]), (2, [0, 2, 0, 2, 0, 2, 0, 2], [0x00, 0xaa]),
    (3, [0, 2, 4, 6, 0, 2, 4, 6, 0, 2], [0x82, 0x29, 0x98, 0x02]),
    (4, [0, 4, 8, 12, 0, 4, 8, 12], [0x00, 0x44, 0x88, 0xcc]), (8, [7, 255], [7, 255]),
  ]

  @Test("Words of the documented examples", arguments: examples)
  func words(bits: Int, codes: [UInt8], bytes: [UInt8]) throws {
    let count = codes.count
    let ones = [Float](repeating: 1, count: count)
    let records = [
      MLXSamples.record(
        "a.W_q", bits == 3 ? .int32 : .uint8, [bits == 3 ? 1 : bytes.count, 1], bytes),
      MLXSamples.record("a.scale", .float32, [count, 1], ones),
      MLXSamples.record("a.zero", .float32, [count, 1], ones.map { $0 * 0.5 }),
      MLXSamples.record("a.nbits", .int32, [], [Int32(bits)]),
      MLXSamples.record("a.shape", .int64, [2], [Int64(count), 1]),
    ]
    let (tensors, _) = try Self.format().gather(records)
    let tensor = try #require(tensors.first).quantizedTensor()
    #expect(tensors.count == 1)
    // Every scheme that is read can be written under its name.
    #expect(tensor.scheme.name.flatMap(Scheme.init(name:)) == tensor.scheme)
    #expect(tensor.codes == codes)
    #expect(tensor.dequantized() == codes.map { Float($0) - 0.5 })
  }

  @Test("Writing is refused, and another format is named")
  func refusesToWrite() throws {
    let scheme = try #require(Scheme(name: "int4-g64-min-f32"))
    let layout = try Self.format().layout(for: scheme)
    #expect(layout.obstacle(to: scheme, rowCount: 2, columnCount: 64)?.contains("mlx") == true)
    #expect(!layout.canRepresent(scheme))
    #expect(throws: QuantizationError.self) {
      try layout.parts(scheme, rowCount: 2, columnCount: 64)
    }
    #expect(throws: QuantizationError.self) {
      try layout.pack(MLXSamples.randomTensor(scheme, rowCount: 2, columnCount: 64))
    }
    MLXSamples.expectFault("mlx") {
      _ = try Self.format().configuration(of: [], config: JSONObject())
    }
    // The way out is open.
    #expect(MLXLayout().canRepresent(scheme))
  }

  @Test("Other methods are not hqq")
  func others() throws {
    let config = try JSONValue.parse(#"{"quantization_config":{"quant_method":7}}"#)
    #expect(try HQQFormat.announced { _ in config } == nil)
    #expect(try HQQFormat.announced { _ in nil } == nil)
  }

  /// One change to a sound layer of 4 bits, [4, 64] in groups of 32.
  struct Broken: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var name: String
    var replacement: (@Sendable () -> TensorRecord)?
    var words: String

    init(
      _ description: String, _ name: String, _ words: String,
      _ replacement: (@Sendable () -> TensorRecord)? = nil
    ) {
      testDescription = description
      self.name = name
      self.words = words
      self.replacement = replacement
    }
  }

  private static func sound() -> [TensorRecord] {
    [
      MLXSamples.zeroRecord("a.W_q", .uint8, [4, 32]),
      MLXSamples.zeroRecord("a.scale", .float16, [8, 1]),
      MLXSamples.zeroRecord("a.zero", .float16, [8, 1]),
      MLXSamples.record("a.nbits", .int32, [], [Int32(4)]),
      MLXSamples.record("a.group_size", .int32, [], [Int32(32)]),
      MLXSamples.record("a.axis", .int32, [], [Int32(1)]),
      MLXSamples.record("a.shape", .int64, [2], [Int64(4), 64]),
      MLXSamples.zeroRecord("a.quant_scale", .uint8, []),
      MLXSamples.zeroRecord("a.quant_zero", .uint8, []),
      MLXSamples.zeroRecord("a.view_as_float", .uint8, []),
      MLXSamples.zeroRecord("a.packing", .uint8, [7]),
    ]
  }

  @Test func soundLayer() throws {
    let (tensors, _) = try Self.format().gather(Self.sound())
    #expect(tensors.map(\.name) == ["a.weight"])
    #expect(tensors.first?.shape == [4, 64])
    #expect(try tensors.first?.quantizedTensor().codes.count == 256)
  }

  @Test(
    arguments: [
      Broken("no scale", "a.scale", "scale"), Broken("no zero", "a.zero", "zero"),
      Broken("no bits", "a.nbits", "nbits"), Broken("no shape", "a.shape", "shape"),
      Broken("5 bits", "a.nbits", "5 bits") {
        MLXSamples.record("a.nbits", .int32, [], [Int32(5)])
      },
      Broken("-4 bits", "a.nbits", "-4 bits") {
        MLXSamples.record("a.nbits", .int32, [], [Int32(-4)])
      },
      Broken("bits as floats", "a.nbits", "F32") {
        MLXSamples.record("a.nbits", .float32, [], [Float(4)])
      },
      Broken("several bits", "a.nbits", "2 numbers") {
        MLXSamples.record("a.nbits", .int32, [2], [Int32(4), 4])
      },
      Broken("axis 0", "a.axis", "axis 0") { MLXSamples.record("a.axis", .int32, [], [Int32(0)]) },
      Broken("quantized scales", "a.quant_scale", "scales that are quantized") {
        MLXSamples.record("a.quant_scale", .uint8, [], [UInt8(1)])
      },
      Broken("quantized zeros", "a.quant_zero", "zeros that are quantized") {
        MLXSamples.record("a.quant_zero", .uint8, [], [UInt8(1)])
      },
      Broken("words as floats", "a.view_as_float", "floats") {
        MLXSamples.record("a.view_as_float", .uint8, [], [UInt8(1)])
      },
      Broken("negative shape", "a.shape", "shape") {
        MLXSamples.record("a.shape", .int64, [2], [Int64(-4), 64])
      },
      Broken("huge shape", "a.shape", "too large") {
        MLXSamples.record("a.shape", .int64, [2], [Int64.max, 64])
      },
      Broken("three dimensions", "a.shape", "shape") {
        MLXSamples.record("a.shape", .int64, [3], [Int64(2), 2, 64])
      },
      Broken("a long shape", "a.shape", "too many") {
        MLXSamples.zeroRecord("a.shape", .int64, [100])
      },
      Broken("another shape", "a.shape", "group_size") {
        MLXSamples.record("a.shape", .int64, [2], [Int64(8), 64])
      },
      Broken("another group", "a.group_size", "group_size") {
        MLXSamples.record("a.group_size", .int32, [], [Int32(64)])
      },
      Broken("zeros of another type", "a.zero", "BF16") {
        MLXSamples.zeroRecord("a.zero", .bfloat16, [8, 1])
      },
      Broken("zeros of another shape", "a.zero", "[4, 1]") {
        MLXSamples.zeroRecord("a.zero", .float16, [4, 1])
      },
      Broken("words of another type", "a.W_q", "I8") {
        MLXSamples.zeroRecord("a.W_q", .int8, [4, 32])
      },
      Broken("fewer words", "a.W_q", "[2, 32]") {
        MLXSamples.zeroRecord("a.W_q", .uint8, [2, 32])
      },
    ])
  func refuses(_ broken: Broken) throws {
    let records = Self.sound().compactMap { record in
      record.name == broken.name ? broken.replacement?() : record
    }
    MLXSamples.expectFault(broken.words) { _ = try Self.format().gather(records) }
  }

  @Test("Groups that run across rows, and a weight that stands twice, are refused")
  func refusesOthers() throws {
    var records = Self.sound().filter { !["a.scale", "a.zero", "a.group_size"].contains($0.name) }
    records += [
      MLXSamples.zeroRecord("a.scale", .float16, [2, 1]),
      MLXSamples.zeroRecord("a.zero", .float16, [2, 1]),
    ]
    MLXSamples.expectFault("whole groups") { _ = try Self.format().gather(records) }
    let twice = Self.sound() + [MLXSamples.zeroRecord("a.weight", .float16, [4, 64])]
    MLXSamples.expectFault("twice") { _ = try Self.format().gather(twice) }
  }
}
