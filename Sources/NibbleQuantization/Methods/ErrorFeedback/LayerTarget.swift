internal import CNibbleKernels
internal import NibbleTensors

/// The weights that serve a layer best when its inputs have changed.
///
/// For inputs X of the full-precision model and X̂ of the model quantized so far, least squares ask for
/// W + W E[(x - x̂)ᵀx̂] (E[x̂ᵀx̂])⁻¹ (Zhang et al. 2025, Qronos, arXiv:2505.11695, section 3; Li et al. 2025, GPTAQ,
/// arXiv:2504.02692); likewise where outputs shall make up for more than that. Most of such a correction fits the
/// calibration tokens by accident, layer upon layer. So it is found for two halves of the tokens, and only the share that one half
/// confirms of the other is taken: with δ₁ and δ₂ the halves' corrections and ⟨·,·⟩ the products of their outputs,
/// S = ⟨δ₁,δ₂⟩ estimates what is real, N = (⟨δ₁,δ₁⟩ + ⟨δ₂,δ₂⟩) / 2 - S what is not, and the mean of both is shrunk by
/// S / (S + N / 2) (James and Stein 1961).
struct LayerTarget {
  /// The halves: `[paddedCount, paddedCount]`, transposed, for changes of inputs; `[rows, columnCount]` for those of outputs; all
  /// in the metric's unit.
  private let halves: [[Float]]
  private let areOutputs: Bool
  private let factor: CholeskyFactor
  private let metric: LayerMetric

  /// - Returns: nil when there is nothing to correct, or nothing to correct it with. A half with fewer tokens than columns can
  ///   explain whatever it saw, and the halves' agreement means little.
  init?(_ statistics: LayerStatistics, _ metric: LayerMetric) {
    guard let change = statistics.change, let factor = metric.factor,
      statistics.isDetermined
    else { return nil }
    let unit = Float(metric.unit)
    let (count, padded) = (metric.columnCount, metric.paddedCount)
    switch change {
    case .outputs:
      areOutputs = true
      halves = change.halves.map { $0.map { $0 * unit } }
    case .inputs:
      areOutputs = false
      halves = change.halves.map { half in
        var turned = [Float](repeating: 0, count: padded * padded)
        for row in 0..<count {
          for column in 0..<count {
            turned[column * padded + row] = half[row * count + column] * unit
          }
        }
        return turned
      }
    }
    guard halves.allSatisfy({ $0.allSatisfy(\.isFinite) }) else { return nil }
    self.factor = factor
    self.metric = metric
  }

  /// The corrected weights `[rowCount, columnCount]`, and the share of the correction that was taken. Rows that would not be
  /// finite stay as they are.
  func weights(
    _ weights: UnsafeBufferPointer<Float>, rowCount: Int, pool: WorkerPool
  ) -> (weights: [Float], share: Double) {
    let count = metric.columnCount
    let tileCount = (rowCount + 7) / 8
    guard let source = weights.baseAddress else { return ([], 0) }
    var corrections = [Float](repeating: 0, count: rowCount * count)
    /// For each tile ⟨δ₁,δ₂⟩ and (⟨δ₁,δ₁⟩ + ⟨δ₂,δ₂⟩) / 2, but for a factor.
    var products = [SIMD2<Double>](repeating: .zero, count: tileCount)
    corrections.withUnsafeMutableBufferPointer { corrections in
      products.withUnsafeMutableBufferPointer { products in
        pool.rows(tileCount) { tiles in
          let run = TileCorrection(self)
          for tile in tiles {
            products[tile] = run.correct(
              source, tile: tile, rowCount: rowCount, into: corrections)
          }
        }
      }
    }
    let sum = products.reduce(.zero, +)
    let (shared, mean) = (sum.x, sum.y)
    let noise = max(mean - shared, 0)
    let share = shared > 0 ? shared / (shared + noise / 2) : 0
    return (zip(weights, corrections).map { $0 + Float(share) * $1 }, share)
  }

  /// One thread's buffers.
  private final class TileCorrection {
    private let target: LayerTarget
    private let places: [Int]
    private let tile: LaneBuffer<Float>
    private let products: LaneBuffer<Float>
    private let found: [LaneBuffer<Float>]
    private let sides: LaneBuffer<Double>

    init(_ target: LayerTarget) {
      self.target = target
      let (count, padded) = (target.metric.columnCount, target.metric.paddedCount)
      places = (0..<count).map { Int(target.metric.order[count - 1 - $0]) }
      tile = LaneBuffer(padded)
      products = LaneBuffer(padded)
      found = [LaneBuffer(padded), LaneBuffer(padded)]
      sides = LaneBuffer(count)
    }

    /// Finds the corrections of eight rows.
    func correct(
      _ weights: UnsafePointer<Float>, tile index: Int, rowCount: Int,
      into corrections: UnsafeMutableBufferPointer<Float>
    ) -> SIMD2<Double> {
      let (count, padded) = (target.metric.columnCount, target.metric.paddedCount)
      let lanes = min(8, rowCount - 8 * index)
      for (half, result) in zip(target.halves, found) {
        if target.areOutputs {
          half.withUnsafeBufferPointer { half in
            guard let rows = half.baseAddress else { return }
            feedbackKernels.load(rows + 8 * index * count, count, lanes, count, products.base)
          }
        } else {
          feedbackKernels.load(weights + 8 * index * count, count, lanes, count, tile.base)
          feedbackKernels.multiply(half, padded, padded, tile.base, products.base)
        }
        for (place, column) in places.enumerated() {
          for lane in 0..<8 { sides[8 * place + lane] = Double(products[8 * column + lane]) }
        }
        feedbackKernels.solve_tile(target.factor.lower, count, count, sides.base)
        for lane in 0..<8 {
          let isFinite = places.indices.allSatisfy { sides[8 * $0 + lane].magnitude < 1e30 }
          for (place, column) in places.enumerated() {
            result[8 * column + lane] = isFinite ? Float(sides[8 * place + lane]) : 0
          }
        }
      }
      for lane in 0..<lanes {
        for column in 0..<count {
          corrections[(8 * index + lane) * count + column] =
            found[0][8 * column + lane] + found[1][8 * column + lane]
        }
      }
      return agreement(lanes)
    }

    /// ⟨δ₁,δ₂⟩ and (⟨δ₁,δ₁⟩ + ⟨δ₂,δ₂⟩) / 2 of the tile's rows.
    private func agreement(_ lanes: Int) -> SIMD2<Double> {
      let padded = target.metric.paddedCount
      var sum = SIMD2<Double>.zero
      for (half, own) in found.enumerated() {
        feedbackKernels.multiply(
          target.metric.matrix, padded, padded, own.base, products.base)
        for column in 0..<target.metric.columnCount {
          for lane in 0..<lanes {
            let product = Double(products[8 * column + lane])
            if half == 0 { sum.x += product * Double(found[1][8 * column + lane]) }
            sum.y += product * Double(own[8 * column + lane]) / 2
          }
        }
      }
      return sum
    }
  }
}
