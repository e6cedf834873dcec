import NibbleQuantization
import NibbleTensors
import Testing

@Suite("Activation-aware scaling")
struct ActivationAwareScalingTests {
  private let pool = WorkerPool(threadCount: 2)

  /// Normal weights, `[rowCount, columnCount]`.
  private func weights(_ rowCount: Int, _ columnCount: Int, seed: UInt64 = 3) -> [Float] {
    var random = RandomSource(seed: seed)
    return (0..<rowCount * columnCount).map { _ in Float(0.05 * random.gaussian()) }
  }

  @Test("Scales of fixed ratios are numpy's; ratio 0 leaves everything as it is")
  func scales() throws {
    let fixture = try TransformFixture.read()
    for golden in fixture.ratios {
      let scales = ActivationAwareScaling.scales(fixture.magnitudes, ratio: golden.ratio)
      for (scale, expected) in zip(scales, golden.scales) {
        #expect(abs(scale - expected) <= 1e-6 * expected, "\(golden.ratio)")
      }
      if golden.ratio == 0 { #expect(scales.allSatisfy { $0 == 1 }) }
    }
  }

  @Test("The search finds numpy's ratio, with numpy's output errors")
  func search() throws {
    let fixture = try TransformFixture.read()
    for golden in fixture.cases {
      let layer = ActivationAwareScaling.Layer(
        weights: fixture.weights, scheme: try #require(Scheme(name: golden.scheme)))
      let choice = try ActivationAwareScaling().search(
        [layer], magnitudes: fixture.magnitudes, hessian: fixture.hessian, pool: pool)
      let least = try #require(golden.losses.min())
      #expect(choice.ratio == Double(try #require(golden.losses.firstIndex(of: least))) / 20)
      #expect(abs(choice.lossBefore / golden.losses[0] - 1) < 1e-4)
      #expect(abs(choice.lossAfter / least - 1) < 1e-4)
    }
  }

  @Test("Never worse than without scales, for every kind of scheme", arguments: feedbackSchemes)
  func neverWorse(_ scheme: Scheme) throws {
    let statistics = try FeedbackSamples.wide.get()
    let magnitudes = statistics.importance.map { Double($0).squareRoot() * 0.8 }
    for weighs in [false, true] {
      var scaling = ActivationAwareScaling()
      scaling.weighsErrors = weighs
      scaling.ratioCount = 5
      let choice = try scaling.search(
        [ActivationAwareScaling.Layer(weights: weights(24, 256), scheme: scheme)],
        magnitudes: magnitudes, hessian: statistics.hessian, pool: pool)
      #expect(choice.lossAfter <= choice.lossBefore)
      #expect(choice.lossBefore > 0)
      #expect(choice.scales.allSatisfy { $0.isFinite && $0 > 0 })
    }
  }

  @Test("An input that is much larger than the others gains clearly")
  func outlier() throws {
    let count = 128
    var hessian = [Float](repeating: 0, count: count * count)
    var magnitudes = [Double](repeating: 0.8, count: count)
    for column in 0..<count { hessian[column * (count + 1)] = 1 }
    hessian[77 * (count + 1)] = 2500
    magnitudes[77] = 40
    let choice = try ActivationAwareScaling().search(
      [
        ActivationAwareScaling.Layer(
          weights: weights(64, count), scheme: try #require(Scheme(name: "int4-g128-sym")))
      ], magnitudes: magnitudes, hessian: hessian, pool: pool)
    #expect(choice.lossAfter < 0.3 * choice.lossBefore, "\(choice.lossAfter / choice.lossBefore)")
    #expect(choice.scales[77] > 2 * choice.scales[0])
  }

  @Test("Columns that share a channel get one scale, from their mean")
  func sharedChannels() throws {
    let statistics = try FeedbackSamples.statistics(32)
    let magnitudes = statistics.importance.map { Double($0).squareRoot() }
    let channels = (0..<32).map { 100 + $0 / 16 * 8 + $0 % 8 }
    let layer = ActivationAwareScaling.Layer(
      weights: weights(16, 32), scheme: try #require(Scheme(name: "int3-g16-sym")))
    let choice = try ActivationAwareScaling().search(
      [layer], magnitudes: magnitudes, hessian: statistics.hessian, channels: channels, pool: pool)
    #expect(choice.ratio > 0)
    for column in 0..<32 where column % 16 >= 8 {
      #expect(choice.scales[column] == choice.scales[column - 8])
    }
    let means = (0..<32).map { column in
      let first = column / 16 * 16 + column % 8
      return (magnitudes[first] + magnitudes[first + 8]) / 2
    }
    #expect(choice.scales == ActivationAwareScaling.scales(means, ratio: choice.ratio))
  }

  @Test("The same for any number of threads")
  func threads() throws {
    let statistics = try FeedbackSamples.wide.get()
    let magnitudes = statistics.importance.map { Double($0).squareRoot() }
    let layers = try [90, 33].map { rowCount in
      ActivationAwareScaling.Layer(
        weights: weights(rowCount, 256), rowShare: 2,
        scheme: try #require(Scheme(name: "int4-g64-asym")))
    }
    let choices = try [1, 2, 5].map { threadCount in
      try ActivationAwareScaling().search(
        layers, magnitudes: magnitudes, hessian: statistics.hessian,
        pool: WorkerPool(threadCount: threadCount))
    }
    #expect(choices[0] == choices[1])
    #expect(choices[0] == choices[2])
  }

  @Test("Inputs that are always zero, and statistics that make no sense")
  func difficult() throws {
    let scheme = try #require(Scheme(name: "int4-g8-sym"))
    let layer = ActivationAwareScaling.Layer(weights: weights(4, 8), scheme: scheme)
    let dead = try ActivationAwareScaling().search(
      [layer], magnitudes: [Double](repeating: 0, count: 8),
      hessian: [Float](repeating: 0, count: 64), pool: pool)
    #expect(dead.ratio == 0)
    #expect(dead.scales.allSatisfy { $0 == 1 })
    let cases: [([Double], [Float])] = [
      ([.nan] + [Double](repeating: 1, count: 7), [Float](repeating: 0, count: 64)),
      ([-1] + [Double](repeating: 1, count: 7), [Float](repeating: 0, count: 64)),
      ([Double](repeating: 1, count: 8), [Float](repeating: .infinity, count: 64)),
      ([Double](repeating: 1, count: 8), [Float](repeating: 1, count: 63)),
      ([Double](repeating: 1, count: 7), [Float](repeating: 1, count: 49)), ([], []),
    ]
    for (magnitudes, hessian) in cases {
      #expect(throws: QuantizationError.self) {
        try ActivationAwareScaling().search(
          [layer], magnitudes: magnitudes, hessian: hessian, pool: pool)
      }
    }
  }
}
