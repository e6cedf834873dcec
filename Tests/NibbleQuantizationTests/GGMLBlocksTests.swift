import NibbleQuantization
import Testing

@Suite struct GGMLBlocksTests {
  static func quantized(
    _ type: GGMLType, rowCount: Int = 5, columnCount: Int = 512, importance: [Float]? = nil
  ) throws -> (weights: [Float], tensor: QuantizedTensor) {
    let weights = TestWeights.heavy(count: rowCount * columnCount, seed: UInt64(type.rawValue))
    let scheme = try #require(type.scheme)
    let tensor = try weights.withUnsafeBufferPointer { source throws in
      try RoundToNearest().quantize(
        source, rowCount: rowCount, columnCount: columnCount, as: scheme)
    }
    return (weights, tensor)
  }

  @Test(arguments: blockTypes) func unpackUndoesPack(type: GGMLType) throws {
    let (_, tensor) = try Self.quantized(type)
    let layout = GGMLBlocks()
    let parts = try layout.pack(tensor)
    let again = try layout.unpack(
      parts, rowCount: tensor.rowCount, columnCount: tensor.columnCount, scheme: tensor.scheme)
    #expect(again == tensor)
  }

  /// Any bytes survive unpacking and packing, not only those that Nibble writes.
  @Test(arguments: blockTypes) func packUndoesUnpack(type: GGMLType) throws {
    let scheme = try #require(type.scheme)
    let rowByteCount = try #require(type.rowByteCount(columnCount: 512))
    let bytes = TestWeights.bytes(count: 3 * rowByteCount, seed: 99)
    let layout = GGMLBlocks()
    let tensor = try layout.unpack(
      [NamedBytes(bytes: bytes)], rowCount: 3, columnCount: 512, scheme: scheme)
    #expect(try layout.pack(tensor) == [NamedBytes(bytes: bytes)])
  }

  /// The search straight to bytes and the search to a tensor are one.
  @Test(arguments: blockTypes) func encodePacksTheSearch(type: GGMLType) throws {
    for columnCount in type.block.elementCount == 32 ? [512, 96] : [512] {
      let (weights, tensor) = try Self.quantized(type, columnCount: columnCount)
      let bytes = encode(type, weights, columnCount: columnCount)
      #expect(try GGMLBlocks().pack(tensor) == [NamedBytes(bytes: bytes)])
      #expect(tensor.dequantized().map(\.bitPattern) == decode(type, bytes).map(\.bitPattern))
    }
  }

  @Test func refusesWhatItCannotStore() throws {
    let layout = GGMLBlocks()
    let scheme = try #require(GGMLType.q4_k.scheme)
    #expect(layout.canRepresent(scheme))
    let other = try #require(Scheme(name: "int4-g128-asym"))
    #expect(!layout.canRepresent(other))
    #expect(throws: QuantizationError.self) {
      try layout.unpack([NamedBytes(bytes: [])], rowCount: 1, columnCount: 100, scheme: scheme)
    }
    #expect(throws: QuantizationError.self) {
      try layout.unpack([NamedBytes(bytes: [1])], rowCount: 1, columnCount: 256, scheme: scheme)
    }
    #expect(throws: QuantizationError.self) {
      try layout.unpack([NamedBytes(bytes: [])], rowCount: 0, columnCount: 0, scheme: other)
    }
    #expect(throws: QuantizationError.self) {
      try [Float](repeating: 0, count: 100).withUnsafeBufferPointer { source in
        _ = try RoundToNearest().quantize(source, rowCount: 1, columnCount: 100, as: scheme)
      }
    }
  }
}
