internal import CNibbleKernels

/// Eight rows side by side: their grids, codes, values, and how they stand in the metric.
final class TileState {
  let shape: RowShape
  private let metric: LayerMetric
  let codes: LaneBuffer<UInt8>
  let values: LaneBuffer<Float>
  /// The metric's matrix times (values - target).
  let gradient: LaneBuffer<Float>
  let scales: LaneBuffer<Float>
  let offsets: LaneBuffer<Float>
  let scaleParents: LaneBuffer<Float>
  let offsetParents: LaneBuffer<Float>
  let scaleCodes: LaneBuffer<Float>
  let offsetCodes: LaneBuffer<Float>
  /// Each lane's (values - target)ᵀ matrix (values - target).
  let objectives = LaneBuffer<Double>(1)
  /// What rounding needs, made from scales and offsets; ``nk_grid_tile`` tells how.
  let factors: LaneBuffer<Float>
  let inverses: LaneBuffer<Float>
  let zeros: LaneBuffer<Float>
  let shifts: LaneBuffer<Float>
  let levels: LaneBuffer<Float>
  let thresholds: LaneBuffer<Float>
  private let errors: LaneBuffer<Float>

  init(_ shape: RowShape, _ metric: LayerMetric) {
    self.shape = shape
    self.metric = metric
    let (padded, groups, parents) = (shape.paddedCount, shape.groupCount, shape.parentCount)
    codes = LaneBuffer(padded)
    values = LaneBuffer(padded)
    gradient = LaneBuffer(padded)
    errors = LaneBuffer(padded)
    scales = LaneBuffer(max(groups, shape.learnedCount))
    offsets = LaneBuffer(groups)
    scaleParents = LaneBuffer(parents)
    offsetParents = LaneBuffer(parents)
    scaleCodes = LaneBuffer(parents > 0 ? groups : 0)
    offsetCodes = LaneBuffer(parents > 0 ? groups : 0)
    factors = LaneBuffer(groups)
    inverses = LaneBuffer(groups)
    zeros = LaneBuffer(groups)
    shifts = LaneBuffer(groups)
    levels = LaneBuffer(shape.levelCount)
    thresholds = LaneBuffer(max(shape.levelCount - 1, 0))
    if let table = shape.table {
      for index in 0..<levels.count { levels[index] = table.levels[index / 8] }
      for index in 0..<thresholds.count { thresholds[index] = table.thresholds[index / 8] }
    }
  }

  // MARK: - Rows in and out

  /// Takes over the grids of up to eight rows, and their codes.
  func load(_ rows: RowSolutions, from first: Int, count: Int) {
    for lane in 0..<count {
      let row = rows.codes[
        (first + lane) * shape.columnCount..<(first + lane + 1) * shape.columnCount]
      for (column, code) in row.enumerated() { codes[8 * column + lane] = code }
    }
    scales.load(rows.scales, from: first, laneCount: count)
    offsets.load(rows.offsets, from: first, laneCount: count)
    scaleParents.load(rows.scaleParents, from: first, laneCount: count)
    offsetParents.load(rows.offsetParents, from: first, laneCount: count)
    scaleCodes.load(rows.scaleCodes, from: first, laneCount: count)
    offsetCodes.load(rows.offsetCodes, from: first, laneCount: count)
    prepareGrid()
  }

  /// Writes one lane's grid, codes and objective to a row.
  func store(lane: Int, to rows: RowSolutions, row: Int) {
    for column in 0..<shape.columnCount {
      rows.codes[row * shape.columnCount + column] = codes[8 * column + lane]
    }
    scales.store(lane: lane, to: rows.scales, row: row)
    offsets.store(lane: lane, to: rows.offsets, row: row)
    scaleParents.store(lane: lane, to: rows.scaleParents, row: row)
    offsetParents.store(lane: lane, to: rows.offsetParents, row: row)
    scaleCodes.store(lane: lane, to: rows.scaleCodes, row: row)
    offsetCodes.store(lane: lane, to: rows.offsetCodes, row: row)
    rows.objectives[row] = objectives[lane]
  }

  /// Takes over one lane of another tile of the same shape.
  func copy(lane: Int, from other: TileState) {
    codes.copy(lane: lane, from: other.codes)
    values.copy(lane: lane, from: other.values)
    gradient.copy(lane: lane, from: other.gradient)
    copyGrid(lane: lane, from: other)
    objectives[lane] = other.objectives[lane]
  }

  /// Takes over the scales and offsets of one lane.
  func copyGrid(lane: Int, from other: TileState) {
    scales.copy(lane: lane, from: other.scales)
    offsets.copy(lane: lane, from: other.offsets)
    scaleParents.copy(lane: lane, from: other.scaleParents)
    offsetParents.copy(lane: lane, from: other.offsetParents)
    scaleCodes.copy(lane: lane, from: other.scaleCodes)
    offsetCodes.copy(lane: lane, from: other.offsetCodes)
    factors.copy(lane: lane, from: other.factors)
    inverses.copy(lane: lane, from: other.inverses)
    zeros.copy(lane: lane, from: other.zeros)
    shifts.copy(lane: lane, from: other.shifts)
    levels.copy(lane: lane, from: other.levels)
    thresholds.copy(lane: lane, from: other.thresholds)
  }

  /// Takes over some groups of one lane, and what their scales are relative to; `prepareGrid` makes them count.
  func copy(
    part: Int, _ groups: Range<Int>, _ columns: Range<Int>, lane: Int, from other: TileState
  ) {
    for column in columns {
      codes[8 * column + lane] = other.codes[8 * column + lane]
      values[8 * column + lane] = other.values[8 * column + lane]
    }
    for group in groups {
      let place = 8 * group + lane
      scales[place] = other.scales[place]
      offsets[place] = other.offsets[place]
      guard shape.parentCount > 0 else { continue }
      scaleCodes[place] = other.scaleCodes[place]
      offsetCodes[place] = other.offsetCodes[place]
    }
    guard shape.parentCount > 0 else { return }
    scaleParents[8 * part + lane] = other.scaleParents[8 * part + lane]
    offsetParents[8 * part + lane] = other.offsetParents[8 * part + lane]
  }

  /// Derives what rounding needs from scales and offsets.
  func prepareGrid() {
    if shape.learnedCount > 0 {
      levels.copy(from: scales)
      for index in 0..<thresholds.count {
        thresholds[index] = (levels[index] + levels[index + 8]) / 2
      }
      for index in 0..<inverses.count { (factors[index], inverses[index]) = (1, 1) }
      return
    }
    factors.copy(from: scales)
    for index in 0..<inverses.count {
      inverses[index] = RowShape.inverse(scales[index])
      switch shape.scheme.offset {
      case .none: (zeros[index], shifts[index]) = (shape.bias, 0)
      case .zeroPoint: (zeros[index], shifts[index]) = (shape.bias + offsets[index], 0)
      case .minimum: (zeros[index], shifts[index]) = (shape.bias, offsets[index])
      }
    }
  }

  // MARK: - Rounding and judging

  /// The grids as the kernels take them; valid inside `body` only.
  private func withGrid(_ body: (UnsafePointer<nk_grid_tile>) -> Void) {
    shape.groups.withUnsafeBufferPointer { groups in
      var grid = nk_grid_tile(
        groups: groups.baseAddress, scales: factors.base, inverses: inverses.base,
        zeros: zeros.base, shifts: shifts.base, top: shape.top,
        levels: shape.levelCount > 0 ? UnsafePointer(levels.base) : nil,
        thresholds: thresholds.base, level_count: shape.levelCount)
      body(&grid)
    }
  }

  /// Rounds the target with error feedback on the tile's grids, and finds objectives that are nearly right.
  func sweep(_ target: LaneBuffer<Float>) {
    withGrid { grid in
      feedbackKernels.sweep(
        grid, target.base, metric.order, metric.feedback.isEmpty ? nil : metric.feedback,
        metric.pivots, metric.ridge,
        shape.paddedCount, errors.base, values.base, codes.base, objectives.base)
    }
  }

  /// Computes what the codes stand for on the tile's grids.
  func expand() {
    for column in 0..<shape.columnCount {
      let group = 8 * Int(shape.groups[column])
      for lane in 0..<8 {
        let index = 8 * column + lane
        let level = level(index, group + lane)
        values[index] = level * factors[group + lane] + shifts[group + lane]
      }
    }
  }

  /// What element `index`, of group and lane `place`, multiplies its scale with.
  func level(_ index: Int, _ place: Int) -> Float {
    if shape.levelCount > 0 { return levels[8 * Int(codes[index]) + place % 8] }
    return Float(codes[index]) - zeros[place]
  }

  /// Computes gradient and objectives of the values.
  func judge(_ target: LaneBuffer<Float>) {
    guard !metric.isSeparable else { return judgeColumns(target) }
    feedbackKernels.gradient(
      metric.matrix, shape.paddedCount, target.base, values.base, errors.base, gradient.base,
      objectives.base)
  }

  /// What objectives are with the inputs as they were measured, without the metric's loading.
  func measuredObjectives(_ target: LaneBuffer<Float>) -> SIMD8<Double> {
    var measured = SIMD8<Double>()
    for lane in 0..<8 { measured[lane] = objectives[lane] }
    guard metric.loading > 0, !metric.isSeparable else { return measured }
    let share = Float(metric.loading / (1 + metric.loading))
    for column in 0..<shape.columnCount {
      let weight = metric.diagonal[column] * share
      for lane in 0..<8 {
        let error = values[8 * column + lane] - target[8 * column + lane]
        measured[lane] -= Double(weight * error) * Double(error)
      }
    }
    return measured
  }

  private func judgeColumns(_ target: LaneBuffer<Float>) {
    for lane in 0..<8 { objectives[lane] = 0 }
    for column in 0..<shape.columnCount {
      let weight = metric.diagonal[column]
      for lane in 0..<8 {
        let index = 8 * column + lane
        let error = values[index] - target[index]
        gradient[index] = weight * error
        objectives[lane] += Double(weight * error) * Double(error)
      }
    }
  }
}
