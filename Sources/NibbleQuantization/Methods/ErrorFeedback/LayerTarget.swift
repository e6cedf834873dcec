internal import CNibbleKernels
internal import NibbleTensors

/// The weights that serve a layer best when its inputs have changed.
///
/// For inputs X of the full-precision model and X̂ of the model quantized so far, the least-squares weights are
/// W* = W E[xᵀx̂] (E[x̂ᵀx̂])⁻¹: what the quantized layer should come near to (Zhang et al. 2025, Qronos, arXiv:2505.11695,
/// section 3; Li et al. 2025, GPTAQ, arXiv:2504.02692). Both matrices are damped alike, so that equal inputs give W.
struct LayerTarget {
  /// `[paddedCount, paddedCount]`: how the moments of old and new inputs differ from those of the new, transposed.
  private let difference: [Float]
  /// `[rows, columnCount]`, in the metric's unit: moments of the outputs that are wanted, where these are not those of the
  /// weights.
  private let wanted: [Float]?
  private let factor: CholeskyFactor
  private let metric: LayerMetric

  /// - Returns: nil when there is nothing to correct, or nothing to correct it with.
  init?(_ statistics: LayerStatistics, _ metric: LayerMetric) {
    guard statistics.cross != nil || statistics.target != nil, let factor = metric.factor else {
      return nil
    }
    let (count, padded) = (metric.columnCount, metric.paddedCount)
    var difference = [Float](repeating: 0, count: padded * padded)
    for row in 0..<count {
      for column in 0..<count {
        let index = row * count + column
        let old = statistics.target == nil ? Double(statistics.cross?[index] ?? 0) : 0
        let value = (old - Double(statistics.hessian[index])) * metric.unit
        difference[column * padded + row] = Float(value)
      }
    }
    guard difference.allSatisfy({ $0.isFinite }) else { return nil }
    self.difference = difference
    wanted = statistics.target.map { $0.map { Float(Double($0) * metric.unit) } }
    self.factor = factor
    self.metric = metric
  }

  /// The corrected weights `[rowCount, columnCount]`: w plus w (G - H) (H + damping)⁻¹. Rows that would not be finite stay
  /// as they are.
  func weights(
    _ weights: UnsafeBufferPointer<Float>, rowCount: Int, pool: WorkerPool
  ) -> [Float] {
    let (count, padded) = (metric.columnCount, metric.paddedCount)
    let places = (0..<count).map { Int(metric.order[count - 1 - $0]) }
    var result = Array(weights)
    guard let source = weights.baseAddress else { return result }
    result.withUnsafeMutableBufferPointer { result in
      pool.rows((rowCount + 7) / 8) { tiles in
        let tile = LaneBuffer<Float>(padded)
        let products = LaneBuffer<Float>(padded)
        let sides = LaneBuffer<Double>(count)
        for index in tiles {
          let lanes = min(8, rowCount - 8 * index)
          feedbackKernels.load(source + 8 * index * count, count, lanes, count, tile.base)
          feedbackKernels.multiply(difference, padded, padded, tile.base, products.base)
          for (place, column) in places.enumerated() {
            for lane in 0..<8 { sides[8 * place + lane] = Double(products[8 * column + lane]) }
            guard let wanted else { continue }
            for lane in 0..<lanes {
              sides[8 * place + lane] += Double(wanted[(8 * index + lane) * count + column])
            }
          }
          feedbackKernels.solve_tile(factor.lower, count, count, sides.base)
          for lane in 0..<lanes {
            let row = (8 * index + lane) * count
            let isFinite = places.indices.allSatisfy { sides[8 * $0 + lane].magnitude < 1e30 }
            guard isFinite else { continue }
            for (place, column) in places.enumerated() {
              result[row + column] += Float(sides[8 * place + lane])
            }
          }
        }
      }
    }
    return result
  }
}
