internal import CNibbleKernels

/// Eight rows side by side: their grids, codes, values, and how they stand in the metric.
///
/// Arrays are `[..][8]`, a lane for each row.
final class TileState {
  let shape: RowShape
  private let metric: LayerMetric
  var codes: [UInt8]
  var values: [Float]
  /// The metric's matrix times (values - target).
  var gradient: [Float]
  var scales: [Float]
  var offsets: [Float]
  var scaleParents: [Float]
  var offsetParents: [Float]
  var scaleCodes: [Float]
  var offsetCodes: [Float]
  /// Each lane's (values - target)ᵀ matrix (values - target).
  var objectives = [Double](repeating: 0, count: 8)
  /// Levels of a table, and the thresholds between them.
  private(set) var levels: [Float]
  private(set) var thresholds: [Float]
  private(set) var inverses: [Float]
  private(set) var zeros: [Float]
  private(set) var shifts: [Float]
  private var errors: [Float]

  init(_ shape: RowShape, _ metric: LayerMetric) {
    self.shape = shape
    self.metric = metric
    func zeros(_ count: Int) -> [Float] { [Float](repeating: 0, count: count * 8) }
    codes = [UInt8](repeating: 0, count: shape.paddedCount * 8)
    values = zeros(shape.paddedCount)
    gradient = values
    errors = values
    scales = zeros(max(shape.groupCount, shape.learnedCount))
    offsets = zeros(shape.groupCount)
    inverses = offsets
    self.zeros = offsets
    shifts = offsets
    scaleParents = zeros(shape.parentCount)
    offsetParents = scaleParents
    scaleCodes = zeros(shape.parentCount > 0 ? shape.groupCount : 0)
    offsetCodes = scaleCodes
    levels = zeros(shape.levelCount)
    thresholds = zeros(max(shape.levelCount - 1, 0))
    if let table = shape.table {
      for index in levels.indices { levels[index] = table.levels[index / 8] }
      for index in thresholds.indices { thresholds[index] = table.thresholds[index / 8] }
    }
  }

  // MARK: - Rows in and out

  /// Takes over the grids of up to eight rows, and their codes.
  func load(_ rows: RowSolutions, from first: Int, count: Int) {
    func copy<T>(
      _ source: UnsafeMutableBufferPointer<T>, _ target: inout [T], _ perRow: Int
    ) {
      for lane in 0..<count {
        for index in 0..<perRow {
          target[8 * index + lane] = source[(first + lane) * perRow + index]
        }
      }
    }
    copy(rows.codes, &codes, shape.columnCount)
    copy(rows.scales, &scales, max(shape.groupCount, shape.learnedCount))
    copy(rows.offsets, &offsets, shape.groupCount)
    copy(rows.scaleParents, &scaleParents, shape.parentCount)
    copy(rows.offsetParents, &offsetParents, shape.parentCount)
    if shape.parentCount > 0 {
      copy(rows.scaleCodes, &scaleCodes, shape.groupCount)
      copy(rows.offsetCodes, &offsetCodes, shape.groupCount)
    }
    prepareGrid()
  }

  /// Writes one lane's grid, codes and objective to a row.
  func store(lane: Int, to rows: RowSolutions, row: Int) {
    func copy<T>(
      _ source: [T], _ target: UnsafeMutableBufferPointer<T>, _ perRow: Int
    ) {
      for index in 0..<perRow { target[row * perRow + index] = source[8 * index + lane] }
    }
    copy(codes, rows.codes, shape.columnCount)
    copy(scales, rows.scales, max(shape.groupCount, shape.learnedCount))
    copy(offsets, rows.offsets, shape.groupCount)
    copy(scaleParents, rows.scaleParents, shape.parentCount)
    copy(offsetParents, rows.offsetParents, shape.parentCount)
    if shape.parentCount > 0 {
      copy(scaleCodes, rows.scaleCodes, shape.groupCount)
      copy(offsetCodes, rows.offsetCodes, shape.groupCount)
    }
    rows.objectives[row] = objectives[lane]
  }

  /// Takes over one lane of another tile of the same shape.
  func copy(lane: Int, from other: TileState) {
    func copy<T>(_ source: [T], _ target: inout [T]) {
      for index in stride(from: lane, to: source.count, by: 8) { target[index] = source[index] }
    }
    copy(other.codes, &codes)
    copy(other.values, &values)
    copy(other.gradient, &gradient)
    copyGrid(lane: lane, from: other)
    objectives[lane] = other.objectives[lane]
  }

  /// Takes over the scales and offsets of one lane; `prepareGrid` makes them count.
  func copyGrid(lane: Int, from other: TileState) {
    func copy(_ source: [Float], _ target: inout [Float]) {
      for index in stride(from: lane, to: source.count, by: 8) { target[index] = source[index] }
    }
    copy(other.scales, &scales)
    copy(other.offsets, &offsets)
    copy(other.scaleParents, &scaleParents)
    copy(other.offsetParents, &offsetParents)
    copy(other.scaleCodes, &scaleCodes)
    copy(other.offsetCodes, &offsetCodes)
    if shape.learnedCount > 0 {
      copy(other.levels, &levels)
      copy(other.thresholds, &thresholds)
    }
    copy(other.inverses, &inverses)
    copy(other.zeros, &zeros)
    copy(other.shifts, &shifts)
  }

  /// Derives what rounding needs from scales and offsets.
  func prepareGrid() {
    if shape.learnedCount > 0 {
      levels = scales
      for index in thresholds.indices {
        thresholds[index] = (levels[index] + levels[index + 8]) / 2
      }
      for index in inverses.indices { inverses[index] = 1 }
      return
    }
    for index in inverses.indices {
      inverses[index] = RowShape.inverse(scales[index])
      switch shape.scheme.offset {
      case .none: (zeros[index], shifts[index]) = (shape.bias, 0)
      case .zeroPoint: (zeros[index], shifts[index]) = (shape.bias + offsets[index], 0)
      case .minimum: (zeros[index], shifts[index]) = (shape.bias, offsets[index])
      }
    }
  }

  // MARK: - Rounding and judging

  /// Calls `body` with the grids as the kernels take them.
  func withGrid(_ body: (UnsafePointer<nk_grid_tile>) -> Void) {
    let unscaled = [Float](repeating: 1, count: shape.learnedCount > 0 ? inverses.count : 0)
    shape.groups.withUnsafeBufferPointer { groups in
      (shape.learnedCount > 0 ? unscaled : scales).withUnsafeBufferPointer { scales in
        inverses.withUnsafeBufferPointer { inverses in
          zeros.withUnsafeBufferPointer { zeros in
            shifts.withUnsafeBufferPointer { shifts in
              levels.withUnsafeBufferPointer { levels in
                thresholds.withUnsafeBufferPointer { thresholds in
                  var grid = nk_grid_tile(
                    groups: groups.baseAddress, scales: scales.baseAddress,
                    inverses: inverses.baseAddress, zeros: zeros.baseAddress,
                    shifts: shifts.baseAddress, top: shape.top,
                    levels: levels.isEmpty ? nil : levels.baseAddress,
                    thresholds: thresholds.baseAddress, level_count: shape.levelCount)
                  body(&grid)
                }
              }
            }
          }
        }
      }
    }
  }

  /// Rounds the target with error feedback on the tile's grids.
  func sweep(_ target: [Float]) {
    withGrid { grid in
      feedbackKernels.sweep(
        grid, target, metric.order, metric.feedback, shape.paddedCount, &errors, &values, &codes)
    }
  }

  /// Computes what the codes stand for on the tile's grids.
  func expand() {
    for column in 0..<shape.columnCount {
      let group = Int(shape.groups[column])
      for lane in 0..<8 {
        let (place, index) = (8 * group + lane, 8 * column + lane)
        if shape.learnedCount > 0 {
          values[index] = levels[8 * Int(codes[index]) + lane]
        } else {
          values[index] = level(index, place) * scales[place] + shifts[place]
        }
      }
    }
    for index in (8 * shape.columnCount)..<values.count { values[index] = 0 }
  }

  /// What element `index` of group `place` multiplies its scale with.
  func level(_ index: Int, _ place: Int) -> Float {
    if let table = shape.table { return table.levels[Int(codes[index])] }
    return Float(codes[index]) - zeros[place]
  }

  /// Computes gradient and objectives of the values.
  func judge(_ target: [Float]) {
    feedbackKernels.gradient(
      metric.matrix, shape.paddedCount, target, values, &errors, &gradient, &objectives)
  }
}
