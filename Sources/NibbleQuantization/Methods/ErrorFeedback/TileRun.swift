internal import CNibbleKernels

/// One thread's work: tiles of eight rows, one after another.
final class TileRun {
  private let options: ErrorFeedback
  private let shape: RowShape
  private let metric: LayerMetric
  private let best: TileState
  private let trial: TileState
  private let other: TileState
  private let refit: ScaleRefit?
  private let descent: RowDescent
  private var target: [Float]

  /// Prepares the work of one thread; `sums` is for schemes with minima.
  init(
    _ options: ErrorFeedback, _ shape: RowShape, _ metric: LayerMetric, _ sums: GroupSums?
  ) {
    self.options = options
    self.shape = shape
    self.metric = metric
    best = TileState(shape, metric)
    trial = TileState(shape, metric)
    other = TileState(shape, metric)
    refit = ScaleRefit(shape, metric, sums)
    descent = RowDescent(shape, metric)
    target = [Float](repeating: 0, count: shape.paddedCount * 8)
  }

  /// Finds the codes of one tile's rows.
  ///
  /// - Parameters:
  ///   - weights: `[rows, columns]`: what the codes shall come near to.
  ///   - plain: round-to-nearest, whose objectives are written.
  ///   - grids: scales and offsets to try.
  ///   - tile: which rows: eight from `8 * tile`, or fewer at the end.
  ///   - rows: receives the best found.
  ///   - isUnchanged: receives, for each row, whether that is round-to-nearest.
  func optimize(
    _ weights: UnsafeBufferPointer<Float>, _ plain: RowSolutions, _ grids: [RowSolutions],
    tile: Int, into rows: RowSolutions, _ isUnchanged: UnsafeMutableBufferPointer<Bool>
  ) {
    let first = 8 * tile
    let count = min(8, rows.rowCount - first)
    guard let source = weights.baseAddress else { return }
    feedbackKernels.load(
      source + first * shape.columnCount, shape.columnCount, count, shape.columnCount, &target)
    best.load(plain, from: first, count: count)
    best.expand()
    best.judge(target)
    for lane in 0..<count {
      plain.objectives[first + lane] = best.objectives[lane]
      isUnchanged[first + lane] = true
    }
    for grid in grids {
      trial.load(grid, from: first, count: count)
      trial.sweep(target)
      trial.judge(target)
      keepBetter(count) { isUnchanged[first + $0] = false }
    }
    for _ in 0..<options.refinementRounds {
      var isImproved = false
      refine(count) {
        isUnchanged[first + $0] = false
        isImproved = true
      }
      if !isImproved { break }
    }
    for lane in 0..<count { best.store(lane: lane, to: rows, row: first + lane) }
  }

  /// Fits the scales again, rounds again, lets the codes settle, and keeps what is better.
  private func refine(_ count: Int, _ changed: (Int) -> Void) {
    if let refit {
      refit.refit(best, into: trial, laneCount: count)
      for lane in 0..<8 { other.copy(lane: lane, from: best) }
      for lane in 0..<8 { other.copyGrid(lane: lane, from: trial) }
      other.expand()
      other.judge(target)
      trial.sweep(target)
      trial.judge(target)
      for lane in 0..<8 where other.objectives[lane] < trial.objectives[lane] {
        trial.copy(lane: lane, from: other)
      }
    } else {
      for lane in 0..<8 { trial.copy(lane: lane, from: best) }
    }
    for lane in 0..<count { descent.descend(trial, lane: lane, passLimit: options.descentPasses) }
    trial.judge(target)
    keepBetter(count, changed)
  }

  /// Takes over the lanes of `trial` that have a smaller objective.
  private func keepBetter(_ count: Int, _ changed: (Int) -> Void) {
    for lane in 0..<count where trial.objectives[lane] < best.objectives[lane] {
      best.copy(lane: lane, from: trial)
      changed(lane)
    }
  }
}
