import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct CompressedTensorsLayoutTests {
  private static let packed = CompressedTensorsLayout()
  private static let old = CompressedTensorsLayout(
    storage: .packed(.wholeCodes, zeroPoints: .wholeCodes))
  private static let bytes = CompressedTensorsLayout(storage: .bytes)

  private func roundTrip(
    _ layout: some ArrayLayout, _ name: String, rowCount: Int = 37, columnCount: Int = 96
  ) throws {
    let scheme = try #require(Scheme(name: name))
    #expect(layout.canRepresent(scheme))
    let tensor = try randomTensor(scheme, rowCount: rowCount, columnCount: columnCount)
    let parts = try layout.parts(scheme, rowCount: rowCount, columnCount: columnCount)
    let arrays = try layout.pack(tensor)
    #expect(arrays.map(\.name) == parts.map(\.name))
    #expect(arrays.map(\.bytes.count) == parts.map(\.byteCount))
    let other = try layout.unpack(
      arrays, rowCount: rowCount, columnCount: columnCount, scheme: scheme)
    #expect(other == tensor, "\(name)")
    #expect(try layout.pack(other) == arrays, "\(name)")
  }

  @Test(
    "Every scheme comes back", arguments: 2...8,
    ["g32-sym", "g32-asym", "row-sym-bf16", "row-asym-f32", "tensor-sym", "tensor-asym-bf16"])
  func integers(bits: Int, ending: String) throws {
    for layout in [Self.packed, Self.old, Self.bytes] {
      try roundTrip(layout, "int\(bits)-\(ending)")
    }
    try roundTrip(Self.packed, "int\(bits)-\(ending)", rowCount: 1, columnCount: 32)
  }

  @Test(arguments: ["int4-g32-sym-act", "int3-g32-asym-bf16-act", "int8-g16-asym-act"])
  func orders(name: String) throws {
    try roundTrip(Self.packed, name)
    try roundTrip(Self.old, name)
  }

  @Test(arguments: ["e4m3-row", "e4m3-tensor", "e4m3-g32", "e4m3-row-bf16", "e4m3-tensor-f16"])
  func floats(name: String) throws { try roundTrip(Float8Layout(), name) }

  private func words(_ codes: [Int], bits: Int) -> [UInt32] {
    let bytes = CodeWords.pack(
      codes.map { UInt8($0 + 1 << (bits - 1)) }, rowCount: 1, columnCount: codes.count, bits: bits)
    return stride(from: 0, to: bytes.count, by: 4).map { place in
      bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: UInt32.self) }
    }
  }

  @Test("Words of the reference")
  func examples() throws {
    #expect(words(Array(-8...7), bits: 4) == [0x7654_3210, 0xFEDC_BA98])
    #expect(words([1, 2, 3], bits: 4) == [0x0000_0BA9])
    let threes = (0..<4).flatMap { _ in Array(-4...3) }
    #expect(words(threes, bits: 3) == [0x88FA_C688, 0xC688_FAC6, 0xFAC6_88FA])
    // Zero points run along the rows.
    let scheme = try #require(Scheme(name: "int4-g32-asym"))
    let tensor = try QuantizedTensor(
      rowCount: 3, columnCount: 64, scheme: scheme, codes: [UInt8](repeating: 0, count: 192),
      scales: .float16([UInt16](repeating: 0, count: 6)), zeroPoints: [8, 9, 0, 15, 11, 7])
    let arrays = try Self.packed.pack(tensor)
    #expect(arrays[2].bytes == [0x08, 0x0B, 0, 0, 0xF9, 0x07, 0, 0])
  }

  @Test(arguments: [
    LayoutObstacle(packed, "nf4-g64", 4, 64, "integers of 2 to 8 bits"),
    LayoutObstacle(packed, "int4-g64-min", 4, 64, "zero points"),
    LayoutObstacle(packed, "int4-column-sym", 4, 64, "belong to a tensor"),
    LayoutObstacle(packed, "q6_k", 4, 256, "belong to a tensor"),
    LayoutObstacle(bytes, "int4-g64-sym-act", 4, 64, "order"),
    LayoutObstacle(packed, "int4-g64-sym", 4, 100, "no multiple of 64"),
    LayoutObstacle(packed, "int4-g64-sym", 4, 0, "no elements"),
    LayoutObstacle(packed, "int4-g64-sym", 1 << 62, 64, "too many"),
    LayoutObstacle(Float8Layout(), "int8-row-sym", 4, 64, "e4m3"),
    LayoutObstacle(Float8Layout(), "e4m3-column", 4, 64, "do not stand"),
    LayoutObstacle(Float8Layout(), "e4m3-g64", 4, 96, "no multiple of 64"),
    LayoutObstacle(Float8Layout(), "e4m3-row", 1 << 62, 64, "too many"),
    LayoutObstacle(Float8Layout(blockRowCount: 4), "e4m3-row", 4, 64, "do not stand"),
  ])
  func obstacles(_ obstacle: LayoutObstacle) throws { try obstacle.check() }

  @Test("Blocks are read as groups, and written when their rows agree")
  func blocks() throws {
    let scheme = try #require(Scheme(name: "e4m3-g128"))
    let layout = Float8Layout(scaleName: "weight_scale_inv", blockRowCount: 2)
    let scales: [Float] = [1, 2, 1, 2, 3, 4]
    func tensor(_ scales: [Float]) throws -> QuantizedTensor {
      try QuantizedTensor(
        rowCount: 3, columnCount: 130, scheme: scheme, codes: [UInt8](repeating: 200, count: 390),
        scales: .float32(scales))
    }
    let arrays = try layout.pack(tensor(scales))
    #expect(arrays[1].bytes == [Float(1), 2, 3, 4].withUnsafeBytes { [UInt8]($0) })
    let other = try layout.unpack(arrays, rowCount: 3, columnCount: 130, scheme: scheme)
    #expect(try other == tensor(scales))
    #expect(throws: QuantizationError.self) { try layout.pack(tensor([1, 2, 1, 5, 3, 4])) }
  }

  @Test("NaN is no level, in either direction")
  func notANumber() throws {
    let scheme = try #require(Scheme(name: "e4m3-row"))
    let layout = Float8Layout()
    for byte: UInt8 in [0x7F, 0xFF] {
      let parts = [NamedBytes(bytes: [0, byte]), NamedBytes(bytes: [0, 0, 0x80, 0x3F])]
      #expect(throws: QuantizationError.self) {
        try layout.unpack(parts, rowCount: 1, columnCount: 2, scheme: scheme)
      }
    }
    for code: UInt8 in [254, 255] {
      let tensor = try QuantizedTensor(
        rowCount: 1, columnCount: 2, scheme: scheme, codes: [0, code], scales: .float32([1]))
      #expect(throws: QuantizationError.self) { try layout.pack(tensor) }
      let values = tensor.dequantized()
      #expect(values[0] == -448 && values[1].isNaN)
    }
  }
}
