import NibbleQuantization
import NibbleTensors
import Testing

@Suite("Search for limits of groups")
struct ClipSearchTests {
  @Test("The values are those that numpy finds token by token")
  func golden() throws {
    let fixture = try TransformFixture.read()
    for golden in fixture.cases {
      let scheme = try #require(Scheme(name: golden.scheme))
      let (tensor, report) = try fixture.clip(ClipSearch(), as: scheme)
      for (value, expected) in zip(tensor.dequantized(), golden.clipped) {
        #expect(abs(value - expected) < 1e-6, "\(golden.scheme)")
      }
      #expect(report.objectiveAfter < 0.98 * report.objectiveBefore, "\(report.ratio)")
    }
  }

  @Test(
    "No row's output error rises; the report tells the errors of plain rounding and of the result",
    arguments: [
      "int4-g16-sym", "int3-g64-asym", "int4-row-sym", "int2-g16-asym", "nf4-g64", "int5-g24-min",
      "mxfp4", "q4_0", "q4_1", "q5_0", "q8_0", "iq4_nl",
    ])
  func neverWorse(_ name: String) throws {
    let scheme = try #require(Scheme(name: name) ?? GGMLType(name: name)?.scheme)
    let statistics = try FeedbackSamples.wide.get()
    var random = RandomSource(seed: 8)
    let weights = (0..<40 * 256).map { _ in Float(0.05 * random.gaussian()) }
    func quantized(_ threadCount: Int) throws -> (QuantizedTensor, LayerReport) {
      try weights.withUnsafeBufferPointer {
        try ClipSearch().quantize(
          $0, rowCount: 40, columnCount: 256, as: scheme, statistics: statistics,
          pool: WorkerPool(threadCount: threadCount))
      }
    }
    let plain = try weights.withUnsafeBufferPointer {
      try RoundToNearest().quantize($0, rowCount: 40, columnCount: 256, as: scheme)
    }
    let (tensor, report) = try quantized(2)
    let before = FeedbackSamples.objectives(
      weights, plain.dequantized(), statistics.hessian, 256)
    let after = FeedbackSamples.objectives(
      weights, tensor.dequantized(), statistics.hessian, 256)
    for (one, two) in zip(before, after) { #expect(two <= one * 1.0001) }
    #expect(abs(before.reduce(0, +) / report.objectiveBefore - 1) < 1e-3)
    #expect(abs(after.reduce(0, +) / report.objectiveAfter - 1) < 1e-3)
    #expect(report.objectiveAfter < report.objectiveBefore)
    #expect(try quantized(1).0 == tensor)
    #expect(try quantized(3).0 == tensor)
  }

  @Test("Nested scales, learned levels, shared scales and wrong counts are refused")
  func refusals() throws {
    let fixture = try TransformFixture.read()
    for name in ["kmeans3-row", "int8-tensor-sym", "int8-column-sym", "nvfp4", "nf4-g64-dq"] {
      #expect(throws: QuantizationError.self, "\(name)") {
        try fixture.clip(ClipSearch(), as: try #require(Scheme(name: name)))
      }
    }
    let nested = try #require(GGMLType.q4_k.scheme)
    #expect(ClipSearch.obstacle(to: nested) != nil)
    #expect(throws: QuantizationError.self) { try fixture.clip(ClipSearch(), as: nested) }
    let scheme = try #require(Scheme(name: "int4-g8-sym"))
    let statistics = try LayerStatistics(
      columnCount: 2, tokenCount: 1, hessian: [1, 0, 0, 1])
    #expect(throws: QuantizationError.self) {
      try fixture.weights.withUnsafeBufferPointer {
        try ClipSearch().quantize(
          $0, rowCount: fixture.rows, columnCount: fixture.columns, as: scheme,
          statistics: statistics, pool: WorkerPool(threadCount: 1))
      }
    }
  }
}
