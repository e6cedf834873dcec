import NibbleQuantization
import Testing

@Suite struct SchemeTests {
  @Test(arguments: [
    "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_xs", "iq4nl-g32", "int4-g128-asym",
    "int4-g128-sym", "int3-row-asym", "int8-tensor-asym", "int8-tensor-sym", "int5-column-sym",
    "int4-g64-min", "int4-g64-min-bf16", "int8-row-sym-f32", "nf4-g64", "nf4-g64-dq", "nf4-g64-f16",
    "fp4-g64", "e2m1-g32", "mxfp4", "nvfp4", "kmeans4-row", "kmeans8-tensor", "kmeans2-g128-f32",
    "int4-g128-sym-act", "nf4-g64-dq-act", "e4m3-row", "e4m3-g128-bf16",
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
    #expect(Scheme(name: "q4_0")?.name == "int4-g32-sym")
    #expect(Scheme(name: "q4_1")?.name == "int4-g32-min")
    #expect(Scheme(name: "iq4_nl")?.name == "iq4nl-g32")
    #expect(Scheme(name: "kmeans4")?.name == "kmeans4-row")
  }

  @Test(arguments: [
    "", "-", "q4", "int", "int9", "int1-sym", "int4-g0", "int4-g-sym", "int4-sym-g32",
    "int4-asym-x",
    "nf4-g64-sym", "f32", "nf4-g64-f32", "int4-g64-sym-f16", "int4-g64-sym-dq", "kmeans4-row-dq",
    "kmeans9", "kmeans0", "kmeans44", "mxfp4-g64", "int4-g64-min-f16", "int4--sym", "nf4-",
    "int4-g99999999999999999999", "int8-row-sym-act", "int4-g64-sym-act-act", "q4_k-act", "-act",
  ])
  func refusesOtherNames(name: String) {
    #expect(Scheme(name: name) == nil)
  }

  @Test func presetsAreDistinct() {
    #expect(blockTypes.count == 13)
    for type in blockTypes {
      #expect(type.scheme.flatMap(GGMLType.init(scheme:)) == type)
      if case .block(let length, _) = type.scheme?.granularity {
        #expect(length == type.block.elementCount)
      }
    }
  }

  @Test func levels() {
    #expect(ElementFormat.int(bits: 3).levels == [-4, -3, -2, -1, 0, 1, 2, 3])
    #expect(ElementFormat.uint(bits: 2).levels == [0, 1, 2, 3])
    #expect(ElementFormat.codebook(.iq4nl).bitCount == 4)
    #expect(ElementFormat.codebook(.nf4).levels.count == 16)
    let floats = ElementFormat.codebook(.e4m3)
    #expect(floats.levels.count == 254 && floats.bitCount == 8)
    #expect(floats.levels.first == -448 && floats.levels[127] == 0 && floats.levels.last == 448)
    #expect(zip(floats.levels, floats.levels.dropFirst()).allSatisfy { $0 <= $1 })
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
