import NibbleQuantization
import Testing

@Suite struct SchemeTests {
  @Test(arguments: [
    "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_nl",
    "iq4_xs", "int4-g128-asym", "int4-g128-sym", "int3-row-asym", "int8-tensor-asym",
    "int8-tensor-sym", "nf4-g64",
  ])
  func namesAreReversible(name: String) throws {
    let scheme = try #require(Scheme(name: name))
    #expect(scheme.name == name)
    #expect(scheme.description == name)
    #expect(Scheme(name: name.uppercased()) == scheme)
  }

  @Test func shortNames() {
    #expect(Scheme(name: "int4")?.name == "int4-row-asym")
    #expect(Scheme(name: "int4-sym")?.name == "int4-row-sym")
    #expect(Scheme(name: "int4-g64")?.name == "int4-g64-asym")
    #expect(Scheme(name: "nf4")?.name == "nf4-g64")
    // The same values, so the same scheme, whoever stores it.
    #expect(Scheme(name: "int4-g32-sym") == GGMLType.q4_0.scheme)
  }

  @Test(arguments: [
    "", "-", "q4", "int", "int9", "int1-sym", "int4-g0", "int4-g-sym", "int4-sym-g32",
    "int4-asym-x",
    "nf4-g64-sym", "f32", "int4--sym", "nf4-", "int4-g99999999999999999999",
  ])
  func refusesOtherNames(name: String) {
    #expect(Scheme(name: name) == nil)
  }

  @Test func presetsAreDistinct() {
    #expect(blockTypes.count == 12)
    for type in blockTypes {
      #expect(type.scheme.flatMap(GGMLType.init(scheme:)) == type)
      #expect(type.scheme?.granularity.columnMultiple == type.block.elementCount)
    }
  }

  @Test func levels() {
    #expect(ElementFormat.int(bits: 3).levels == [-4, -3, -2, -1, 0, 1, 2, 3])
    #expect(ElementFormat.uint(bits: 2).levels == [0, 1, 2, 3])
    #expect(ElementFormat.codebook(.iq4nl).bitCount == 4)
    #expect(ElementFormat.codebook(.nf4).levels.count == 16)
  }

  @Test func tensorsAreChecked() throws {
    let scheme = try #require(GGMLType.q8_0.scheme)
    let codes = [UInt8](repeating: 128, count: 64)
    let tensor = try QuantizedTensor(
      rowCount: 2, columnCount: 32, scheme: scheme, codes: codes,
      scales: .float16([0x3C00, 0x4000]),
      offsets: nil)
    #expect(tensor.dequantized() == [Float](repeating: 0, count: 64))
    #expect(throws: QuantizationError.self) {
      try QuantizedTensor(
        rowCount: 2, columnCount: 32, scheme: scheme, codes: codes, scales: .float16([0x3C00]),
        offsets: nil)
    }
    #expect(throws: QuantizationError.self) {
      try QuantizedTensor(
        rowCount: 2, columnCount: 32, scheme: scheme, codes: [], scales: .float16([0, 0]),
        offsets: nil)
    }
    #expect(throws: QuantizationError.self) {
      try QuantizedTensor(
        rowCount: 2, columnCount: 32, scheme: scheme, codes: codes, scales: .float32([1, 1]),
        offsets: .float16([0, 0]))
    }
  }
}
