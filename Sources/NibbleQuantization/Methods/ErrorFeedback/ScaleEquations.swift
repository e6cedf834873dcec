internal import CNibbleKernels

/// The normal equations of a row's scales and minima, with its codes fixed: how the objective changes when they do.
///
/// With parameters p (the scales of the row's groups, then their minima) the objective is that of the present ones,
/// plus 2 slopeᵀ (p - present) + (p - present)ᵀ matrix (p - present).
final class ScaleEquations {
  let shape: RowShape
  /// Scales, and minima where the scheme has them.
  let parameterCount: Int
  /// `[parameterCount, parameterCount]`, symmetric: those of the lane that was taken out last.
  private(set) var matrix: [Double]
  private(set) var slope: [Double]
  private let metric: LayerMetric
  private let sums: GroupSums?
  private let levels: LaneBuffer<Float>
  private let scales: LaneBuffer<Float>
  private let scaleSlopes: LaneBuffer<Float>
  private let mixed: LaneBuffer<Float>
  private let minimumSlopes: LaneBuffer<Float>

  init(_ shape: RowShape, _ metric: LayerMetric, _ sums: GroupSums?) {
    self.shape = shape
    self.metric = metric
    self.sums = sums
    let count = shape.groupCount
    parameterCount = sums == nil ? count : 2 * count
    matrix = [Double](repeating: 0, count: parameterCount * parameterCount)
    slope = [Double](repeating: 0, count: parameterCount)
    levels = LaneBuffer(shape.paddedCount)
    scales = LaneBuffer(count * count)
    scaleSlopes = LaneBuffer(count)
    mixed = LaneBuffer(sums == nil ? 0 : count * count)
    minimumSlopes = LaneBuffer(count)
  }

  /// Sums up the equations of all lanes.
  func assemble(_ state: TileState) {
    for column in 0..<shape.columnCount {
      let place = 8 * Int(shape.groups[column])
      for lane in 0..<8 {
        levels[8 * column + lane] = state.level(8 * column + lane, place + lane)
      }
    }
    guard !metric.isSeparable else { return assembleColumns(state) }
    feedbackKernels.normals(
      metric.matrix, shape.paddedCount, shape.firstColumns, shape.groupCount, levels.base,
      state.gradient.base, scales.base, scaleSlopes.base)
    guard let sums else { return }
    feedbackKernels.mixed(
      sums.products, shape.paddedCount, sums.rowCount, shape.firstColumns, shape.groupCount,
      levels.base, state.gradient.base, mixed.base, minimumSlopes.base)
  }

  /// The same for a diagonal matrix, where groups do not meet.
  private func assembleColumns(_ state: TileState) {
    let count = shape.groupCount
    for buffer in [scales, scaleSlopes, mixed, minimumSlopes] {
      buffer.base.update(repeating: 0, count: buffer.count)
    }
    for column in 0..<shape.columnCount {
      let group = Int(shape.groups[column])
      let weight = metric.diagonal[column]
      for lane in 0..<8 {
        let index = 8 * column + lane
        let level = levels[index]
        let (slope, place) = (8 * group + lane, 8 * group * (count + 1) + lane)
        scales[place] += weight * level * level
        scaleSlopes[slope] += level * state.gradient[index]
        minimumSlopes[slope] += state.gradient[index]
        if sums != nil { mixed[place] += weight * level }
      }
    }
  }

  /// Takes out the equations of one lane.
  func select(lane: Int) {
    let (count, width) = (shape.groupCount, parameterCount)
    matrix.withUnsafeMutableBufferPointer { matrix in
      for g in 0..<count {
        for h in 0...g {
          let value = Double(scales[8 * (g * count + h) + lane])
          matrix[g * width + h] = value
          matrix[h * width + g] = value
        }
      }
      guard let sums else { return }
      for g in 0..<count {
        for h in 0..<count {
          let value = Double(mixed[8 * (g * count + h) + lane])
          matrix[g * width + count + h] = value
          matrix[(count + h) * width + g] = value
          matrix[(count + g) * width + count + h] = sums.totals[g * count + h]
        }
      }
    }
    for g in 0..<count {
      slope[g] = Double(scaleSlopes[8 * g + lane])
      if sums != nil { slope[count + g] = Double(minimumSlopes[8 * g + lane]) }
    }
  }
}

/// What every row with minima shares: the metric's matrix summed over the columns of each group.
struct GroupSums {
  /// `[rowCount, paddedCount]`: the matrix times the indicator of each group.
  let products: [Float]
  /// The number of groups, rounded up to a multiple of eight.
  let rowCount: Int
  /// `[groupCount, groupCount]`: the matrix summed over both groups' columns.
  let totals: [Double]

  init(_ shape: RowShape, _ metric: LayerMetric) {
    let (count, padded) = (shape.groupCount, shape.paddedCount)
    let rowCount = (count + 7) / 8 * 8
    var products = [Float](repeating: 0, count: rowCount * padded)
    var totals = [Double](repeating: 0, count: count * count)
    guard !metric.isSeparable else {
      for column in 0..<shape.columnCount {
        totals[Int(shape.groups[column]) * (count + 1)] += Double(metric.diagonal[column])
      }
      (self.products, self.rowCount, self.totals) = ([], rowCount, totals)
      return
    }
    for column in 0..<padded {
      var sums = [Double](repeating: 0, count: count)
      for other in 0..<shape.columnCount {
        sums[Int(shape.groups[other])] += Double(metric.matrix[column * padded + other])
      }
      for group in 0..<count { products[group * padded + column] = Float(sums[group]) }
      guard column < shape.columnCount else { continue }
      let group = Int(shape.groups[column])
      for other in 0..<count { totals[group * count + other] += sums[other] }
    }
    self.products = products
    self.rowCount = rowCount
    self.totals = totals
  }
}
