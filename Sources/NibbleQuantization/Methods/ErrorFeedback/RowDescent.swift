internal import CNibbleKernels

/// Coordinate descent over the codes of a tile's rows, one row after another.
final class RowDescent {
  private let shape: RowShape
  private let metric: LayerMetric
  private var scales: [Float]
  private var inverses: [Float]
  private var zeros: [Float]
  private var shifts: [Float]
  private var gradient: [Float]
  private var values: [Float]
  private var codes: [UInt8]

  init(_ shape: RowShape, _ metric: LayerMetric) {
    self.shape = shape
    self.metric = metric
    scales = [Float](repeating: 0, count: shape.paddedCount)
    inverses = scales
    zeros = scales
    shifts = scales
    gradient = scales
    values = scales
    codes = [UInt8](repeating: 0, count: shape.paddedCount)
  }

  /// Improves the codes of one lane, whose gradient must be right; afterwards codes and values are.
  ///
  /// - Returns: whether a further pass would change nothing.
  @discardableResult
  func descend(_ state: TileState, lane: Int, passLimit: Int) -> Bool {
    guard passLimit > 0 else { return false }
    for column in 0..<shape.columnCount {
      let place = 8 * Int(shape.groups[column]) + lane
      scales[column] = shape.learnedCount > 0 ? 1 : state.scales[place]
      inverses[column] = state.inverses[place]
      zeros[column] = state.zeros[place]
      shifts[column] = state.shifts[place]
      gradient[column] = state.gradient[8 * column + lane]
      values[column] = state.values[8 * column + lane]
      codes[column] = state.codes[8 * column + lane]
    }
    let levels = (0..<shape.levelCount).map { state.levels[8 * $0 + lane] }
    let thresholds = (0..<max(shape.levelCount - 1, 0)).map { state.thresholds[8 * $0 + lane] }
    let changes = run(levels, thresholds, passLimit)
    for column in 0..<shape.columnCount {
      state.values[8 * column + lane] = values[column]
      state.codes[8 * column + lane] = codes[column]
    }
    return changes == 0
  }

  private func run(_ levels: [Float], _ thresholds: [Float], _ passLimit: Int) -> Int {
    scales.withUnsafeBufferPointer { scales in
      inverses.withUnsafeBufferPointer { inverses in
        zeros.withUnsafeBufferPointer { zeros in
          shifts.withUnsafeBufferPointer { shifts in
            levels.withUnsafeBufferPointer { levels in
              thresholds.withUnsafeBufferPointer { thresholds in
                var grid = nk_grid_row(
                  scales: scales.baseAddress, inverses: inverses.baseAddress,
                  zeros: zeros.baseAddress, shifts: shifts.baseAddress, top: shape.top,
                  levels: levels.isEmpty ? nil : levels.baseAddress,
                  thresholds: thresholds.baseAddress, level_count: shape.levelCount)
                return feedbackKernels.descend(
                  &grid, metric.matrix, shape.paddedCount, metric.inverseDiagonal, passLimit,
                  &gradient, &values, &codes)
              }
            }
          }
        }
      }
    }
  }
}
