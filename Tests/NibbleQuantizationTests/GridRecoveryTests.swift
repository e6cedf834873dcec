import NibbleQuantization
import NibbleTensors
import Testing

/// Weights that were decoded from codes and rounded again give codes of the same values.
@Suite struct GridRecoveryTests {
  private static let columnCount = 512
  private static let rowCount = 3

  private static let floatTypes: [DType] = [.float32, .bfloat16, .float16]
  private static let schemeNames = [
    "q4_0", "q5_0", "q8_0", "q4_1", "q5_1", "iq4_nl", "int2-g64-sym", "int4-g64-sym",
    "int4-g128-sym-bf16", "int4-g100-sym", "int8-row-sym", "int8-row-sym-f32", "int3-row-asym",
    "int4-g64-asym", "int4-g32-asym-f32", "int8-g128-asym", "int4-g64-min", "int3-g32-min-bf16",
    "int4-column-sym", "int8-tensor-sym", "nf4-g64", "nf4-g64-f16", "fp4-g64", "e4m3-row", "mxfp4",
    "kmeans3-row", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_xs",
  ]

  /// Values as a checkpoint of a type stores them.
  private static func rounded(_ values: [Float], _ type: DType) -> [Float] {
    switch type {
    case .float16: values.map { Half.float(Half.bits($0)) }
    case .bfloat16: values.map { BFloat16.float(BFloat16.bits($0)) }
    default: values
    }
  }

  private static func quantized(_ weights: [Float], _ scheme: Scheme) throws -> QuantizedTensor {
    try weights.withUnsafeBufferPointer {
      try RoundToNearest().quantize(
        $0, rowCount: weights.count / columnCount, columnCount: columnCount, as: scheme)
    }
  }

  private static func recovered(
    _ values: [Float], _ type: DType, _ scheme: Scheme, columnCount: Int = columnCount
  ) throws -> (tensor: QuantizedTensor, report: GridReport) {
    let recovery = try #require(GridRecovery(type: type))
    return try values.withUnsafeBufferPointer {
      try recovery.recover(
        $0, rowCount: values.count / columnCount, columnCount: columnCount, as: scheme)
    }
  }

  private static func weights(seed: UInt64) -> [Float] {
    TestWeights.gaussian(count: rowCount * columnCount, seed: seed).map { $0 * 0.04 }
  }

  @Test("What a scheme's own encoder made comes back", arguments: schemeNames, floatTypes)
  func encoded(name: String, type: DType) throws {
    let scheme = try #require(Scheme(name: name))
    let made = try Self.quantized(Self.weights(seed: 5), scheme)
    let values = Self.rounded(made.dequantized(), type)
    let (tensor, report) = try Self.recovered(values, type, scheme)
    if name == "int8-g128-asym", type == .bfloat16 {
      // Neighbouring levels are as near as bfloat16's rounding; the search gives some groups up.
      #expect(report.exactGroupCount * 4 >= report.groupCount * 3, "\(report)")
      return
    }
    #expect(report.isExact, "\(report)")
    #expect(report.largestDeviation == 0)
    #expect(Self.rounded(tensor.dequantized(), type) == values)
  }

  /// The outer codes stay unused, so that no largest value tells the scale.
  @Test(
    "Codes that leave the outer levels unused come back too", arguments: schemeNames, floatTypes)
  func narrow(name: String, type: DType) throws {
    let scheme = try #require(Scheme(name: name))
    guard scheme.element.levels.count > 4 else { return }
    let made = try Self.quantized(Self.weights(seed: 6), scheme)
    let quarter = UInt8(scheme.element.levels.count / 4)
    let tensor = try QuantizedTensor(
      rowCount: made.rowCount, columnCount: made.columnCount, scheme: scheme,
      codes: made.codes.map { quarter + $0 / 2 }, scales: made.scales, offsets: made.offsets,
      zeroPoints: made.zeroPoints)
    let values = Self.rounded(tensor.dequantized(), type)
    let found = try Self.recovered(values, type, scheme)
    #expect(found.report.isExact, "\(found.report)")
    #expect(Self.rounded(found.tensor.dequantized(), type) == values)
  }

  @Test(
    "Where only one scale is right, codes and scales are the same",
    arguments: ["int4-g64-sym", "nf4-g64", "mxfp4", "int8-row-sym"])
  func sameTensor(name: String) throws {
    let scheme = try #require(Scheme(name: name))
    let made = try Self.quantized(Self.weights(seed: 7), scheme)
    let found = try Self.recovered(made.dequantized(), .float32, scheme)
    #expect(found.tensor == made)
  }

  @Test(
    "A changed weight is found out, and its group alone",
    arguments: ["q4_0", "q4_1", "int4-g64-asym", "nf4-g64", "mxfp4"], floatTypes)
  func changedWeight(name: String, type: DType) throws {
    let scheme = try #require(Scheme(name: name))
    let made = try Self.quantized(Self.weights(seed: 8), scheme)
    var values = Self.rounded(made.dequantized(), type)
    // A middling one of the first group.
    let place = try #require(
      values[..<32].indices.sorted { abs(values[$0]) < abs(values[$1]) }.dropFirst(20).first)
    values[place] = Self.rounded([values[place] * 1.1], type)[0]
    let report = try Self.recovered(values, type, scheme).report
    #expect(report.exactGroupCount == report.groupCount - 1)
    #expect(report.largestDeviation > 0 && report.largestDeviation < 0.2)
    #expect(!report.isExact)
  }

  @Test(
    "Plain weights lie on no grid", arguments: ["q4_0", "int8-row-sym", "int4-g64-min", "q6_k"])
  func plainWeights(name: String) throws {
    let scheme = try #require(Scheme(name: name))
    for type in Self.floatTypes {
      let values = Self.rounded(Self.weights(seed: 9), type)
      let report = try Self.recovered(values, type, scheme).report
      #expect(report.exactGroupCount == 0, "\(type)")
      #expect(report.groupCount > 0)
    }
  }

  @Test("Zeros and single magnitudes lie on every grid", arguments: schemeNames, floatTypes)
  func simpleGroups(name: String, type: DType) throws {
    let scheme = try #require(Scheme(name: name))
    let zeros = [Float](repeating: 0, count: Self.columnCount)
    let found = try Self.recovered(zeros, type, scheme)
    #expect(found.report.isExact)
    #expect(found.tensor.dequantized().allSatisfy { $0 == 0 })
    // A power of two, which every kind of scale can hold times some level of most tables.
    let isInteger = if case .codebook = scheme.element { false } else { true }
    guard isInteger, scheme.offset == .none else { return }
    var values = zeros
    for index in values.indices { values[index] = index % 3 == 0 ? -0.375 : 0.375 }
    let single = try Self.recovered(values, type, scheme)
    #expect(single.report.isExact, "\(single.report)")
    #expect(Self.rounded(single.tensor.dequantized(), type) == values)
  }

  @Test("Scales that are subnormal halves", arguments: floatTypes)
  func subnormalScales(type: DType) throws {
    let scheme = try #require(Scheme(name: "int4-g64-sym"))
    var random = RandomSource(seed: 3)
    let groupCount = Self.rowCount * Self.columnCount / 64
    let tensor = try QuantizedTensor(
      rowCount: Self.rowCount, columnCount: Self.columnCount, scheme: scheme,
      codes: (0..<Self.rowCount * Self.columnCount).map { _ in
        UInt8.random(in: 0...15, using: &random)
      },
      scales: .float16((0..<groupCount).map { UInt16(1 + 3 * $0) }))
    let values = Self.rounded(tensor.dequantized(), type)
    let found = try Self.recovered(values, type, scheme)
    #expect(found.report.isExact, "\(found.report)")
    #expect(Self.rounded(found.tensor.dequantized(), type) == values)
  }

  @Test("Both zeros of a table keep their sign")
  func signsOfZero() throws {
    let scheme = try #require(Scheme(name: "mxfp4"))
    var random = RandomSource(seed: 4)
    let codes = (0..<Self.columnCount).map { _ in UInt8.random(in: 0...15, using: &random) }
    let tensor = try QuantizedTensor(
      rowCount: 1, columnCount: Self.columnCount, scheme: scheme,
      codes: codes.map { $0 == 0 ? 1 : $0 },
      scales: .e8m0([UInt8](repeating: 120, count: Self.columnCount / 32)))
    let values = tensor.dequantized()
    let found = try Self.recovered(values, .float32, scheme)
    #expect(found.report.isExact)
    #expect(values.contains { $0 == 0 && $0.sign == .minus })
    #expect(found.tensor.dequantized().map(\.bitPattern) == values.map(\.bitPattern))
  }

  @Test("What is not a number, and what cannot be searched, is refused")
  func refusals() throws {
    let scheme = try #require(Scheme(name: "int4-g64-sym"))
    var values = Self.weights(seed: 1)
    values[700] = .nan
    #expect(throws: QuantizationError.self) { try Self.recovered(values, .float32, scheme) }
    let ordered = try #require(Scheme(name: "int4-g64-sym-act"))
    #expect(throws: QuantizationError.self) {
      try Self.recovered(Self.weights(seed: 1), .float32, ordered)
    }
    #expect(GridRecovery(type: .int8) == nil && GridRecovery(type: .float64) == nil)
  }

  @Test("Rows are recovered alone as they are together")
  func rows() throws {
    for name in ["q4_0", "int4-g64-asym", "q4_k", "mxfp4"] {
      let scheme = try #require(Scheme(name: name))
      let made = try Self.quantized(Self.weights(seed: 10), scheme)
      let values = Self.rounded(made.dequantized(), .bfloat16)
      let whole = try Self.recovered(values, .bfloat16, scheme)
      var report = GridReport()
      var codes: [UInt8] = []
      for row in 0..<Self.rowCount {
        let part = Array(values[row * Self.columnCount..<(row + 1) * Self.columnCount])
        let found = try Self.recovered(part, .bfloat16, scheme)
        report.add(found.report)
        codes += found.tensor.codes
      }
      #expect(report == whole.report)
      #expect(codes == whole.tensor.codes)
    }
  }

  @Test func usualGridsAreNamedAndDifferent() {
    let grids = Scheme.usualGrids
    #expect(Set(grids).count == grids.count)
    #expect(grids.allSatisfy { $0.name.flatMap(Scheme.init(name:)) == $0 })
    #expect(zip(grids, grids.dropFirst()).allSatisfy { $0.bitsPerWeight <= $1.bitsPerWeight })
  }
}
