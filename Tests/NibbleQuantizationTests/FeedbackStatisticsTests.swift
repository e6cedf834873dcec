import NibbleQuantization
import NibbleTensors
import Testing

/// Statistics as calibration may deliver them: singular, empty, from one token, hostile.
@Suite struct FeedbackStatisticsTests {
  private let columnCount = 64
  private let weights = TestWeights.gaussian(count: 9 * 64, seed: 4)
  private let schemes = ["q4_0", "q4_1", "int3-g16-asym", "nf4-g64", "mxfp4"].compactMap {
    Scheme(name: $0) ?? GGMLType(name: $0)?.scheme
  }

  private func check(_ hessian: [Float]) throws {
    // With many tokens, scales and codes are refined too.
    for tokenCount in [1, 1000] {
      let statistics = try LayerStatistics(
        columnCount: columnCount, tokenCount: tokenCount, hessian: hessian)
      for scheme in schemes {
        let (tensor, report) = try ErrorFeedback().quantize(
          weights, columnCount: columnCount, as: scheme, statistics)
        #expect(report.objectiveAfter <= report.objectiveBefore)
        #expect(report.objectiveAfter.isFinite && report.damping.isFinite)
        #expect(report.isUndetermined == (tokenCount == 1))
        let isFinite = tensor.dequantized().allSatisfy { $0.isFinite }
        #expect(isFinite)
      }
    }
  }

  @Test func zeros() throws {
    try check([Float](repeating: 0, count: columnCount * columnCount))
  }

  /// From 1 to 20 tokens: ranks far below the number of columns.
  @Test(arguments: [1, 2, 20]) func fewTokens(tokenCount: Int) throws {
    let x = FeedbackSamples.inputs(columnCount, tokenCount: tokenCount, seed: 8)
    try check(FeedbackSamples.moments(x, x, columnCount: columnCount))
  }

  @Test func equalInputs() throws {
    try check([Float](repeating: 2.5, count: columnCount * columnCount))
  }

  @Test(arguments: [1e-30, 1e30] as [Float]) func extremeMagnitudes(factor: Float) throws {
    let statistics = try FeedbackSamples.statistics(columnCount)
    try check(statistics.hessian.map { $0 * factor })
  }

  /// A matrix that no inputs have: more damping, or none at all, but a result.
  @Test func notPositiveDefinite() throws {
    var hessian = [Float](repeating: 5, count: columnCount * columnCount)
    for column in 0..<columnCount { hessian[column * (columnCount + 1)] = 0.1 }
    let statistics = try LayerStatistics(
      columnCount: columnCount, tokenCount: 1, hessian: hessian)
    let (_, report) = try ErrorFeedback().quantize(
      weights, columnCount: columnCount, as: schemes[0], statistics)
    #expect(report.isDiagonal || report.damping > ErrorFeedback().damping)
    #expect(report.objectiveAfter <= report.objectiveBefore)
  }

  /// Inputs that are always zero: their weights are rounded plainly, with the scale of their group.
  @Test func deadColumns() throws {
    let dead = [3, 17, 40]
    var hessian = try FeedbackSamples.statistics(columnCount).hessian
    for column in dead {
      for other in 0..<columnCount {
        hessian[column * columnCount + other] = 0
        hessian[other * columnCount + column] = 0
      }
    }
    let statistics = try LayerStatistics(
      columnCount: columnCount, tokenCount: 400, hessian: hessian)
    let scheme = try #require(Scheme(name: "int4-g16-sym"))
    var method = ErrorFeedback()
    method.refinementRounds = 0
    let (tensor, report) = try method.quantize(
      weights, columnCount: columnCount, as: scheme, statistics)
    #expect(report.deadColumnCount == 3)
    #expect(report.notes.count == 1)
    let scales = tensor.scales.values()
    for row in 0..<9 {
      for column in dead {
        let index = row * columnCount + column
        let level = (weights[index] / scales[row * 4 + column / 16]).rounded(.toNearestOrEven)
        #expect(Float(tensor.codes[index]) == min(max(level, -8), 7) + 8)
      }
    }
  }

  @Test func hostileNumbers() throws {
    #expect(throws: QuantizationError.self) {
      try LayerStatistics(columnCount: 2, tokenCount: 1, hessian: [1, 0, .nan, 1])
    }
    #expect(throws: QuantizationError.self) {
      try LayerStatistics(columnCount: 2, tokenCount: 1, hessian: [-1, 0, 0, 1])
    }
    #expect(throws: QuantizationError.self) {
      try LayerStatistics(columnCount: 2, tokenCount: 1, hessian: [1, 0, 0])
    }
    #expect(throws: QuantizationError.self) {
      try LayerStatistics(columnCount: .max, tokenCount: 1, hessian: [1, 0, 0])
    }
    let statistics = try FeedbackSamples.statistics(columnCount)
    var broken = weights
    broken[70] = .infinity
    for (values, name) in [(broken, "int4-g64-sym"), (weights, "int8-tensor-sym")] {
      let scheme = try #require(Scheme(name: name))
      #expect(throws: QuantizationError.self) {
        try ErrorFeedback().quantize(values, columnCount: columnCount, as: scheme, statistics)
      }
    }
    let scheme = try #require(GGMLType.q4_k.scheme)
    #expect(throws: QuantizationError.self) {
      try ErrorFeedback().quantize(weights, columnCount: columnCount, as: scheme, statistics)
    }
  }

  /// With inputs that have drifted, outputs on these come nearer to the old ones when the target is corrected.
  @Test(arguments: [false, true])
  func targetFollowsInputs(_ asOutputs: Bool) throws {
    let x = FeedbackSamples.inputs(columnCount, seed: 1)
    let noise = TestWeights.gaussian(count: x.count, seed: 9)
    let drifted = zip(x, noise).map { 0.9 * $0 + 0.3 * $1 }
    let hessian = FeedbackSamples.moments(drifted, drifted, columnCount: columnCount)
    let scheme = try #require(Scheme(name: "int8-row-sym"))
    let inputs = halves(zip(x, drifted).map { $0 - $1 }, drifted)
    func outputs(_ half: [Float]) -> [Float] {
      (0..<9 * columnCount).map { place in
        let (row, column) = place.quotientAndRemainder(dividingBy: columnCount)
        return Float(
          (0..<columnCount).reduce(0.0) {
            $0 + Double(weights[row * columnCount + $1]) * Double(half[$1 * columnCount + column])
          })
      }
    }
    let change: LayerStatistics.Change =
      asOutputs
      ? .outputs(outputs(inputs.0), outputs(inputs.1)) : .inputs(inputs.0, inputs.1)
    func quantized(
      _ change: LayerStatistics.Change?
    ) throws -> (tensor: QuantizedTensor, report: LayerReport) {
      let statistics = try LayerStatistics(
        columnCount: columnCount, tokenCount: 400, hessian: hessian, change: change)
      return try ErrorFeedback().quantize(
        weights, columnCount: columnCount, as: scheme, statistics)
    }
    func outputError(_ tensor: QuantizedTensor) -> Double {
      let values = tensor.dequantized()
      var sum = 0.0
      for token in 0..<400 {
        for row in 0..<9 {
          var error = 0.0
          for column in 0..<columnCount {
            let place = token * columnCount + column
            error += Double(weights[row * columnCount + column]) * Double(x[place])
            error -= Double(values[row * columnCount + column]) * Double(drifted[place])
          }
          sum += error * error
        }
      }
      return sum
    }
    let plain = try quantized(nil)
    let corrected = try quantized(change)
    #expect(outputError(corrected.tensor) < 0.8 * outputError(plain.tensor))
    #expect(plain.report.correctionShare == nil)
    #expect(try #require(corrected.report.correctionShare) > 0.8)
    // No change asks for no correction.
    let zeros = [Float](repeating: 0, count: columnCount * columnCount)
    #expect(try quantized(.inputs(zeros, zeros)).tensor == plain.tensor)
  }

  /// A change that has nothing to do with the inputs is fitted by accident, and hardly taken.
  @Test func accidentsAreNotFollowed() throws {
    let x = FeedbackSamples.inputs(columnCount, seed: 1)
    let noise = TestWeights.gaussian(count: x.count, seed: 9)
    let hessian = FeedbackSamples.moments(x, x, columnCount: columnCount)
    let (first, second) = halves(noise, x)
    let statistics = try LayerStatistics(
      columnCount: columnCount, tokenCount: 400, hessian: hessian, change: .inputs(first, second))
    let scheme = try #require(Scheme(name: "int8-row-sym"))
    let (_, report) = try ErrorFeedback().quantize(
      weights, columnCount: columnCount, as: scheme, statistics)
    #expect(try #require(report.correctionShare) < 0.3)
    // One half alone confirms nothing.
    let zeros = [Float](repeating: 0, count: columnCount * columnCount)
    let alone = try LayerStatistics(
      columnCount: columnCount, tokenCount: 400, hessian: hessian, change: .inputs(first, zeros))
    let (_, other) = try ErrorFeedback().quantize(
      weights, columnCount: columnCount, as: scheme, alone)
    #expect(other.correctionShare == 0)
  }

  /// The moments of two halves of the tokens, each divided by the number of all.
  private func halves(_ change: [Float], _ x: [Float]) -> ([Float], [Float]) {
    let middle = x.count / columnCount / 2 * columnCount
    func half(_ range: Range<Int>) -> [Float] {
      FeedbackSamples.moments(Array(change[range]), Array(x[range]), columnCount: columnCount)
        .map { $0 / 2 }
    }
    return (half(0..<middle), half(middle..<x.count))
  }
}
