import Foundation
import Nibble
import TestSupport
import Testing

@Suite("Calibration pass")
struct CalibrationPassTests {
  /// The statistics of a pass, in order.
  private func measure(
    _ fixture: CalibrationFixture, _ streams: CalibrationPass.Streams = .observing,
    statistics: CalibrationStatistics = .secondMoments, threads: Int = 2, memoryLimit: Int? = nil,
    replacing: (LanguageModel, TensorID) throws -> ReplacementWeights? = { _, _ in nil }
  ) throws -> (statistics: [InputStatistics], summary: CalibrationSummary, model: LanguageModel) {
    let model = try LanguageModel(path: fixture.path)
    var options = CalibrationPass.Options()
    options.statistics = statistics
    options.streams = streams
    if let memoryLimit { options.memoryLimit = memoryLimit }
    var all: [InputStatistics] = []
    let summary = try CalibrationPass(model: model, windows: fixture.windows, options: options).run(
      JobEnvironment(threadCount: threads)
    ) { statistics in
      all.append(statistics)
      var weights: [TensorID: ReplacementWeights] = [:]
      for layer in statistics.stage.layers { weights[layer] = try replacing(model, layer) }
      return weights
    }
    return (all, summary, model)
  }

  /// A layer's own weights as floats, each multiplied by a factor.
  private func scaled(
    _ model: LanguageModel, _ layer: TensorID, by factor: Float
  ) throws -> ReplacementWeights? {
    guard layer.role != .router, let own = model.weightValues(of: layer) else { return nil }
    return try own.values.map { $0 * factor }.withUnsafeBufferPointer {
      try ReplacementWeights(floats: $0, rowCount: own.rowCount, columnCount: own.columnCount)
    }
  }

  private func isSame(_ first: [InputStatistics], _ second: [InputStatistics]) -> Bool {
    first.count == second.count
      && zip(first, second).allSatisfy {
        $0.stage.layers == $1.stage.layers && $0.tokenCount == $1.tokenCount
          && $0.squareSums == $1.squareSums && $0.hessian == $1.hessian
          && $0.change?.sum == $1.change?.sum
      }
  }

  private func difference(_ found: [Double], _ expected: [Double]) -> Double {
    let scale = expected.map(abs).max() ?? 0
    guard found.count == expected.count, scale > 0 else { return found == expected ? 0 : .infinity }
    return zip(found, expected).map { abs($0 - $1) / scale }.max() ?? .infinity
  }

  /// Products of statistics are rounded: a thousandth of a matrix's largest number may be off.
  @Test("The inputs of every layer are those that torch sees", arguments: CalibrationFixture.all)
  func agreesWithTorch(_ fixture: CalibrationFixture) throws {
    let measured = try measure(fixture)
    let names = Dictionary(
      measured.model.source.mapped(to: .gguf).map { ($0.id.ofAllExperts, $0.name) },
      uniquingKeysWith: { first, _ in first })
    var found: [String: [Int: InputStatistics]] = [:]
    for statistics in measured.statistics {
      for layer in statistics.stage.layers {
        found[names[layer.ofAllExperts] ?? "", default: [:]][layer.expert ?? 0] = statistics
      }
    }
    #expect(!fixture.layers.isEmpty)
    for layer in fixture.layers {
      for (index, count) in layer.counts.enumerated() {
        let statistics = try #require(found[layer.name]?[index], "\(layer.name)")
        #expect(statistics.tokenCount == count, "\(layer.name) \(index)")
        guard count > 0 else { continue }
        #expect(difference(statistics.importance, layer.squares[index]) < 2e-3, "\(layer.name)")
        let hessian = try #require(statistics.hessian)
        let columns = statistics.columnCount
        let row = hessian[..<columns].map(Double.init)
        #expect(difference(row, layer.firstRows[index]) < 2e-3, "\(layer.name)")
        let diagonal = (0..<columns).map { Double(hessian[$0 * (columns + 1)]) }
        #expect(difference(diagonal, layer.squares[index]) < 2e-3, "\(layer.name)")
        #expect((0..<columns).allSatisfy { hessian[$0 * columns] == hessian[$0] })
      }
    }
  }

  @Test("Stages come in the order of use, and share an input only where layers do")
  func stageOrder() throws {
    let fixture = try #require(CalibrationFixture.all.first { $0.model == "qwen2" })
    let roles = try measure(fixture).statistics.prefix(4).map { $0.stage.layers.map(\.role) }
    #expect(
      roles == [[.query, .key, .value], [.attentionOutput], [.gate, .up], [.down]])
  }

  @Test("One thread or three, memory or disk: the same bits", arguments: CalibrationFixture.all)
  func sameBits(_ fixture: CalibrationFixture) throws {
    let expected = try measure(fixture)
    #expect(isSame(expected.statistics, try measure(fixture, threads: 1).statistics))
    let spilled = try measure(fixture, threads: 3, memoryLimit: 0)
    #expect(isSame(expected.statistics, spilled.statistics))
    #expect(expected.summary.spilledByteCount == 0 && spilled.summary.spilledByteCount > 0)

    func replaced(_ threads: Int, _ limit: Int?) throws -> [InputStatistics] {
      try measure(fixture, .both, threads: threads, memoryLimit: limit) {
        try scaled($0, $1, by: 0.9)
      }.statistics
    }
    let first = try replaced(1, nil)
    #expect(isSame(first, try replaced(3, 10_000)))
    #expect(first.contains { $0.change != nil })
  }

  @Test(
    "Where nothing is replaced, or weights by themselves, nothing changes",
    arguments: CalibrationFixture.all)
  func replacingByItself(_ fixture: CalibrationFixture) throws {
    let expected = try measure(fixture)
    for streams in [CalibrationPass.Streams.both, .replaced] {
      let untouched = try measure(fixture, streams)
      #expect(isSame(expected.statistics, untouched.statistics))
      #expect(untouched.statistics.allSatisfy { $0.change == nil })
    }
    let alone = try measure(fixture, .replaced) { try scaled($0, $1, by: 1) }
    #expect(isSame(expected.statistics, alone.statistics))
    // Two streams of equal numbers: nothing has changed.
    let both = try measure(fixture, .both) { try scaled($0, $1, by: 1) }
    for (found, expected) in zip(both.statistics, expected.statistics) {
      #expect(found.squareSums == expected.squareSums)
      guard let change = found.change else { continue }
      let largest = try #require(found.hessian).reduce(0, max)
      #expect(change.sum.allSatisfy { abs($0) < 1e-5 * max(largest, 1) })
      // Layers that add to the residual stream weigh its tokens.
      guard case .inputs = change else { continue }
      #expect(found.hessian == expected.hessian)
    }
    #expect(both.summary.expertTokenCounts == expected.summary.expertTokenCounts)
  }

  @Test("Replaced weights reach later stages and blocks as if the model had them")
  func replacedWeightsAreUsed() throws {
    let fixture = try #require(CalibrationFixture.all.first { $0.model == "qwen3" })
    let original = try measure(fixture).statistics
    let replaced = try measure(fixture, .both) { model, layer in
      layer.role == .value ? try scaled(model, layer, by: 2) : nil
    }.statistics
    // Values of twice the size: attention's result in block 0 is exactly twice as large.
    #expect(replaced[0].hessian == original[0].hessian && replaced[0].change == nil)
    #expect(replaced[1].squareSums == original[1].squareSums.map { 4 * $0 })
    // It gives twice what it gave, for the residual stream has not changed yet: it lacks -W X̂ / 2.
    let layer = replaced[1].stage.layers[0]
    let weights = try #require(try LanguageModel(path: fixture.path).weightValues(of: layer))
    let hessian = try #require(replaced[1].hessian).map(Double.init)
    let count = weights.columnCount
    let expected = (0..<weights.values.count).map { place in
      (0..<count).reduce(0.0) {
        $0 + Double(weights.values[place / count * count + $1])
          * hessian[$1 * count + place % count]
      } / -2
    }
    let change = try #require(replaced[1].change)
    guard case .outputs = change else { throw Unexpected() }
    #expect(difference(change.sum.map(Double.init), expected) < 2e-3)
    #expect(original[1].change == nil)
    #expect(replaced[2].squareSums != original[2].squareSums)
    #expect(replaced[4].squareSums != original[4].squareSums)
  }

  @Test("Experts: counts add up to the tokens times the experts that each takes")
  func expertCounts() throws {
    for name in ["mixtral", "qwen3-moe"] {
      let fixture = try #require(CalibrationFixture.all.first { $0.model == name })
      let measured = try measure(fixture, .both) { try scaled($0, $1, by: 0.8) }
      let tokenCount = fixture.windows.joined().count
      #expect(measured.summary.expertTokenCounts.count == measured.model.config.blockCount)
      for (_, counts) in measured.summary.expertTokenCounts {
        #expect(counts.reduce(0, +) == tokenCount * measured.model.config.usedExpertCount)
      }
    }
  }

  @Test("Magnitudes and histograms")
  func otherStatistics() throws {
    let fixture = CalibrationFixture.all[0]
    let statistics = try measure(fixture, statistics: [.magnitudes, .histogram]).statistics
    for one in statistics {
      #expect(one.hessian == nil)
      let means = try #require(one.meanMagnitudes)
      let largest = try #require(one.largestMagnitudes)
      let histogram = try #require(one.histogram)
      #expect(histogram.total == Double(one.tokenCount * one.columnCount))
      #expect(max(histogram.maximum, -histogram.minimum) == Double(largest.max() ?? 0))
      for column in means.indices {
        let square = one.importance[column]
        #expect(means[column] <= Double(largest[column]))
        #expect(means[column] * means[column] <= square * 1.0001)
        #expect(square <= Double(largest[column]) * Double(largest[column]) * 1.0001)
      }
    }
  }

  @Test("What cannot be run is refused with a reason")
  func refusals() throws {
    let model = try LanguageModel(path: CalibrationFixture.all[0].path)
    for windows in [[], [[]], [[1, 2], [1]], [[1, 1_000_000]], [[-1]]] {
      #expect(throws: ModelError.self) {
        try CalibrationPass(model: model, windows: windows).run { _ in [:] }
      }
    }
    let environment = JobEnvironment(threadCount: 1)
    environment.cancellation.cancel()
    #expect(throws: JobCancelled.self) {
      try CalibrationPass(model: model, windows: [[1, 2]]).run(environment) { _ in [:] }
    }
    // Weights of another shape.
    #expect(throws: ModelError.self) {
      _ = try measure(CalibrationFixture.all[0], .replaced) { _, _ in
        try [Float](repeating: 0, count: 4).withUnsafeBufferPointer {
          try ReplacementWeights(floats: $0, rowCount: 2, columnCount: 2)
        }
      }
    }
    var options = CalibrationPass.Options()
    options.memoryLimit = 0
    options.spillFolder = "/nowhere/at/all"
    #expect(throws: FileError.self) {
      try CalibrationPass(model: model, windows: [[1, 2]], options: options).run { _ in [:] }
    }
  }
}

private struct Unexpected: Error {}

extension LayerStatistics.Change {
  /// Both halves together.
  fileprivate var sum: [Float] {
    switch self {
    case .inputs(let first, let second), .outputs(let first, let second):
      zip(first, second).map { $0 + $1 }
    }
  }
}
