internal import CNibbleKernels
internal import NibbleTensors

/// One thread's work: tiles of eight rows, one after another.
final class TileRun {
  private let roundCount: Int
  private let passLimit: Int
  private let shape: RowShape
  private let metric: LayerMetric
  private let best: TileState
  private let trial: TileState
  private let other: TileState
  private let refit: ScaleRefit?
  private let descent: RowDescent
  private let target: LaneBuffer<Float>

  /// Prepares the work of one thread; `sums` is for schemes with minima.
  init(
    _ shape: RowShape, _ metric: LayerMetric, _ sums: GroupSums?, roundCount: Int, passLimit: Int
  ) {
    self.roundCount = roundCount
    self.passLimit = passLimit
    self.shape = shape
    self.metric = metric
    best = TileState(shape, metric)
    trial = TileState(shape, metric)
    other = TileState(shape, metric)
    refit = ScaleRefit(shape, metric, sums)
    descent = RowDescent(shape, metric)
    target = LaneBuffer(shape.paddedCount)
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
      source + first * shape.columnCount, shape.columnCount, count, shape.columnCount, target.base)
    best.load(plain, from: first, count: count)
    best.expand()
    best.judge(target)
    let before = best.measuredObjectives(target)
    for lane in 0..<count { plain.objectives[first + lane] = before[lane] }
    for grid in grids {
      trial.load(grid, from: first, count: count)
      trial.sweep(target)
      if metric.isSeparable { mergeBetter() } else { _ = keepBetter() }
    }
    best.judge(target)
    var isRefined = false
    for _ in 0..<roundCount {
      if !refine() { break }
      isRefined = true
    }
    if isRefined { best.judge(target) }
    let after = best.measuredObjectives(target)
    for lane in 0..<count {
      // Sums that were kept up to date are not exact: the last word is that of whole ones.
      isUnchanged[first + lane] = !(after[lane] < before[lane])
      if isUnchanged[first + lane] {
        plain.copy(row: first + lane, to: rows)
      } else {
        best.store(lane: lane, to: rows, row: first + lane)
        rows.objectives[first + lane] = after[lane]
      }
    }
  }

  /// Fits the scales again, rounds again, lets the codes settle, and keeps what is better.
  ///
  /// - Returns: whether anything was.
  private func refine() -> Bool {
    if let refit {
      refit.refit(best, into: other)
      for lane in 0..<8 { trial.copyGrid(lane: lane, from: other) }
      trial.sweep(target)
      for lane in 0..<8 where other.objectives[lane] < trial.objectives[lane] {
        trial.codes.copy(lane: lane, from: best.codes)
      }
      trial.expand()
      trial.judge(target)
    } else {
      for lane in 0..<8 { trial.copy(lane: lane, from: best) }
    }
    guard !metric.isSeparable else { return keepBetter() }
    for lane in 0..<8 { descent.descend(trial, target, lane: lane, passLimit: passLimit) }
    return keepBetter()
  }

  /// Takes over the lanes of `trial` that have a smaller objective.
  private func keepBetter() -> Bool {
    var isBetter = false
    for lane in 0..<8 where trial.objectives[lane] < best.objectives[lane] {
      best.copy(lane: lane, from: trial)
      isBetter = true
    }
    return isBetter
  }

  /// Takes over the groups of `trial` (or blocks of groups) that have a smaller error: in a metric without feedback they
  /// do not know of each other.
  private func mergeBetter() {
    let parts = shape.parentCount > 0 ? shape.parentCount : shape.groupCount
    let length = shape.learnedCount > 0 ? 0 : shape.groupCount / max(parts, 1)
    guard length > 0 else {
      _ = keepBetter()
      return
    }
    for part in 0..<parts {
      let groups = part * length..<(part + 1) * length
      let columns =
        Int(shape.firstColumns[groups.lowerBound])..<Int(shape.firstColumns[groups.upperBound])
      for lane in 0..<8 {
        let mine = error(best, columns, lane)
        guard error(trial, columns, lane) < mine else { continue }
        best.copy(part: part, groups, columns, lane: lane, from: trial)
      }
    }
    best.prepareGrid()
  }

  private func error(_ state: TileState, _ columns: Range<Int>, _ lane: Int) -> Double {
    columns.reduce(0) { sum, column in
      let error = Double(state.values[8 * column + lane] - target[8 * column + lane])
      return sum + Double(metric.diagonal[column]) * error * error
    }
  }
}

extension TileRun {
  /// Runs over all rows, eight at a time.
  ///
  /// - Parameters:
  ///   - target: `[rows, columns]`: what the codes shall come near to.
  ///   - metric: how errors count.
  ///   - plain: the result to beat, whose objectives are written.
  ///   - grids: scales and offsets to try.
  ///   - rows: receives the best found.
  ///   - roundCount: how often scales are fitted again.
  ///   - passLimit: passes of coordinate descent in a round.
  ///   - pool: threads that share the tiles.
  /// - Returns: what was achieved.
  static func optimize(
    _ target: UnsafeBufferPointer<Float>, _ metric: LayerMetric, _ plain: RowSolutions,
    _ grids: [RowSolutions], into rows: RowSolutions, roundCount: Int, passLimit: Int,
    _ pool: WorkerPool
  ) -> LayerReport {
    let rowCount = rows.rowCount
    var sums: GroupSums?
    if roundCount > 0, case .minimum = rows.shape.scheme.offset {
      sums = GroupSums(rows.shape, metric)
    }
    var isUnchanged = [Bool](repeating: false, count: rowCount)
    isUnchanged.withUnsafeMutableBufferPointer { isUnchanged in
      pool.rows((rowCount + 7) / 8) { tiles in
        let run = TileRun(rows.shape, metric, sums, roundCount: roundCount, passLimit: passLimit)
        for tile in tiles {
          run.optimize(target, plain, grids, tile: tile, into: rows, isUnchanged)
        }
      }
    }
    func total(_ rows: RowSolutions) -> Double {
      rows.objectives[..<rowCount].reduce(0, +) / metric.unit
    }
    return LayerReport(
      objectiveBefore: total(plain), objectiveAfter: total(rows), damping: metric.damping,
      isDiagonal: metric.isDiagonal,
      deadColumnCount: metric.diagonal[..<metric.columnCount].count { $0 == 0 },
      unchangedRowCount: isUnchanged.count { $0 })
  }
}
