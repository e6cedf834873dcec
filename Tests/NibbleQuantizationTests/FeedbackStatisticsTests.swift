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
    let statistics = try LayerStatistics(
      columnCount: columnCount, tokenCount: 1, hessian: hessian)
    for scheme in schemes {
      let (tensor, report) = try ErrorFeedback().quantize(
        weights, columnCount: columnCount, as: scheme, statistics)
      #expect(report.objectiveAfter <= report.objectiveBefore)
      #expect(report.objectiveAfter.isFinite && report.damping.isFinite)
      let isFinite = tensor.dequantized().allSatisfy { $0.isFinite }
      #expect(isFinite)
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
    #expect(report.isDiagonal || report.damping > 0.05)
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
      columnCount: columnCount, tokenCount: 1, hessian: hessian)
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
  @Test func targetFollowsInputs() throws {
    let x = FeedbackSamples.inputs(columnCount, seed: 1)
    let noise = TestWeights.gaussian(count: x.count, seed: 9)
    let drifted = zip(x, noise).map { 0.9 * $0 + 0.3 * $1 }
    let hessian = FeedbackSamples.moments(drifted, drifted, columnCount: columnCount)
    let cross = FeedbackSamples.moments(x, drifted, columnCount: columnCount)
    let scheme = try #require(Scheme(name: "int8-row-sym"))
    func outputError(_ cross: [Float]?) throws -> Double {
      let statistics = try LayerStatistics(
        columnCount: columnCount, tokenCount: 400, hessian: hessian, cross: cross)
      let (tensor, _) = try ErrorFeedback().quantize(
        weights, columnCount: columnCount, as: scheme, statistics)
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
    let plain = try outputError(nil)
    #expect(try outputError(cross) < 0.8 * plain)
    // The same inputs ask for no correction.
    let same = try LayerStatistics(
      columnCount: columnCount, tokenCount: 400, hessian: hessian, cross: hessian)
    let none = try LayerStatistics(columnCount: columnCount, tokenCount: 400, hessian: hessian)
    let one = try ErrorFeedback().quantize(weights, columnCount: columnCount, as: scheme, same)
    let two = try ErrorFeedback().quantize(weights, columnCount: columnCount, as: scheme, none)
    #expect(one.0 == two.0)
  }

  /// Outputs that are wanted count as the weights' own outputs do, and others are followed.
  @Test func targetFollowsOutputs() throws {
    let x = FeedbackSamples.inputs(columnCount, seed: 1)
    let noise = TestWeights.gaussian(count: x.count, seed: 9)
    let drifted = zip(x, noise).map { 0.9 * $0 + 0.3 * $1 }
    let hessian = FeedbackSamples.moments(drifted, drifted, columnCount: columnCount)
    let cross = FeedbackSamples.moments(x, drifted, columnCount: columnCount)
    let scheme = try #require(Scheme(name: "int8-row-sym"))
    func moments(_ weights: [Float]) -> [Float] {
      (0..<9 * columnCount).map { place in
        let (row, column) = place.quotientAndRemainder(dividingBy: columnCount)
        return Float(
          (0..<columnCount).reduce(0.0) {
            $0 + Double(weights[row * columnCount + $1]) * Double(cross[$1 * columnCount + column])
          })
      }
    }
    func values(_ cross: [Float]?, _ target: [Float]?) throws -> [Float] {
      let statistics = try LayerStatistics(
        columnCount: columnCount, tokenCount: 400, hessian: hessian, cross: cross, target: target)
      return try ErrorFeedback().quantize(
        weights, columnCount: columnCount, as: scheme, statistics
      ).0.dequantized()
    }
    func distance(_ a: [Float], _ b: [Float]) -> Double {
      let sums = zip(a, b).reduce((0.0, 0.0)) {
        ($0.0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)), $0.1 + Double($1.1 * $1.1))
      }
      return (sums.0 / sums.1).squareRoot()
    }
    let expected = try values(cross, nil)
    #expect(try distance(values(nil, moments(weights)), expected) < 0.01)
    // Outputs of twice the size ask for weights of more than the old size.
    let twice = try values(nil, moments(weights.map { 2 * $0 }))
    #expect(distance(twice, expected) > 0.5)
  }
}
