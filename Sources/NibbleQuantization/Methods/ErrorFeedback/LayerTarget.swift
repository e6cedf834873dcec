internal import CNibbleKernels
internal import NibbleTensors

/// The weights that serve a layer best when its inputs have changed.
///
/// For inputs X of the full-precision model and X̂ of the model quantized so far, the least-squares weights are
/// W* = W E[xᵀx̂] (E[x̂ᵀx̂])⁻¹: what the quantized layer should come near to (Zhang et al. 2025, Qronos, arXiv:2505.11695,
/// section 3; Li et al. 2025, GPTAQ, arXiv:2504.02692). Both matrices are damped alike, so that equal inputs give W.
struct LayerTarget {
  /// `[paddedCount, paddedCount]`: transposed, what is added to the weights is weights times this.
  private let correction: [Float]
  private let metric: LayerMetric

  /// - Returns: nil when there is nothing to correct, or nothing to correct it with.
  init?(_ statistics: LayerStatistics, _ metric: LayerMetric, pool: WorkerPool) {
    guard let cross = statistics.cross, let factor = metric.factor else { return nil }
    let (count, padded) = (metric.columnCount, metric.paddedCount)
    let hessian = statistics.hessian
    let places = (0..<count).map { Int(metric.order[count - 1 - $0]) }
    let unit = metric.unit
    var result = [Float](repeating: 0, count: padded * padded)
    result.withUnsafeMutableBufferPointer { result in
      pool.rows((count + 7) / 8) { tiles in
        var sides = [Double](repeating: 0, count: count * 8)
        for tile in tiles {
          let lanes = min(8, count - 8 * tile)
          for (place, column) in places.enumerated() {
            for lane in 0..<lanes {
              let index = (8 * tile + lane) * count + column
              sides[8 * place + lane] = (Double(cross[index]) - Double(hessian[index])) * unit
            }
          }
          factor.lower.withUnsafeBufferPointer { lower in
            guard let lower = lower.baseAddress else { return }
            feedbackKernels.solve_tile(lower, count, count, &sides)
          }
          for (place, column) in places.enumerated() {
            for lane in 0..<lanes {
              result[column * padded + 8 * tile + lane] = Float(sides[8 * place + lane])
            }
          }
        }
      }
    }
    guard result.allSatisfy(\.isFinite) else { return nil }
    correction = result
    self.metric = metric
  }

  /// The corrected weights `[rowCount, columnCount]`; rows that would not be finite stay as they are.
  func weights(
    _ weights: UnsafeBufferPointer<Float>, rowCount: Int, pool: WorkerPool
  ) -> [Float] {
    let (count, padded) = (metric.columnCount, metric.paddedCount)
    var result = Array(weights)
    guard let source = weights.baseAddress else { return result }
    result.withUnsafeMutableBufferPointer { result in
      pool.rows((rowCount + 7) / 8) { tiles in
        var tile = [Float](repeating: 0, count: padded * 8)
        var products = tile
        for index in tiles {
          let lanes = min(8, rowCount - 8 * index)
          feedbackKernels.load(source + 8 * index * count, count, lanes, count, &tile)
          feedbackKernels.multiply(correction, padded, padded, tile, &products)
          for lane in 0..<lanes {
            let row = (8 * index + lane) * count
            let isFinite = (0..<count).allSatisfy {
              (result[row + $0] + products[8 * $0 + lane]).isFinite
            }
            guard isFinite else { continue }
            for column in 0..<count { result[row + column] += products[8 * column + lane] }
          }
        }
      }
    }
    return result
  }
}
