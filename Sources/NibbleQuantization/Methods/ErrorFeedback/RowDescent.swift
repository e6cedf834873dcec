internal import CNibbleKernels

/// Coordinate descent over the codes of a tile's rows, one row after another.
final class RowDescent {
  private let shape: RowShape
  private let metric: LayerMetric
  private let scales: LaneBuffer<Float>
  private let inverses: LaneBuffer<Float>
  private let zeros: LaneBuffer<Float>
  private let shifts: LaneBuffer<Float>
  private let gradient: LaneBuffer<Float>
  private let values: LaneBuffer<Float>
  private let codes: LaneBuffer<UInt8>

  init(_ shape: RowShape, _ metric: LayerMetric) {
    self.shape = shape
    self.metric = metric
    // One row, so an eighth of a tile.
    let count = shape.paddedCount / 8
    scales = LaneBuffer(count)
    inverses = LaneBuffer(count)
    zeros = LaneBuffer(count)
    shifts = LaneBuffer(count)
    gradient = LaneBuffer(count)
    values = LaneBuffer(count)
    codes = LaneBuffer(count)
  }

  /// Improves the codes of one lane, whose gradient must be right; afterwards everything is, but for the rounding of sums.
  ///
  /// - Returns: whether a further pass would change nothing.
  @discardableResult
  func descend(_ state: TileState, _ target: LaneBuffer<Float>, lane: Int, passLimit: Int) -> Bool {
    guard passLimit > 0 else { return false }
    for group in 0..<shape.groupCount {
      let place = 8 * group + lane
      for column in Int(shape.firstColumns[group])..<Int(shape.firstColumns[group + 1]) {
        scales[column] = state.factors[place]
        inverses[column] = state.inverses[place]
        zeros[column] = state.zeros[place]
        shifts[column] = state.shifts[place]
        gradient[column] = state.gradient[8 * column + lane]
        values[column] = state.values[8 * column + lane]
        codes[column] = state.codes[8 * column + lane]
      }
    }
    let levels = (0..<shape.levelCount).map { state.levels[8 * $0 + lane] }
    let thresholds = (0..<max(shape.levelCount - 1, 0)).map { state.thresholds[8 * $0 + lane] }
    let changes = levels.withUnsafeBufferPointer { levels in
      thresholds.withUnsafeBufferPointer { thresholds in
        var grid = nk_grid_row(
          scales: scales.base, inverses: inverses.base, zeros: zeros.base, shifts: shifts.base,
          top: shape.top, levels: levels.isEmpty ? nil : levels.baseAddress,
          thresholds: thresholds.baseAddress, level_count: shape.levelCount)
        return feedbackKernels.descend(
          &grid, metric.matrix, shape.paddedCount, metric.inverseDiagonal, passLimit,
          gradient.base, values.base, codes.base)
      }
    }
    var objective = 0.0
    for column in 0..<shape.columnCount {
      let index = 8 * column + lane
      state.values[index] = values[column]
      state.codes[index] = codes[column]
      state.gradient[index] = gradient[column]
      objective += Double(values[column] - target[index]) * Double(gradient[column])
    }
    state.objectives[lane] = objective
    return changes == 0
  }
}
