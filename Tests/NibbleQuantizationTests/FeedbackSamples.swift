import NibbleQuantization
import NibbleTensors

/// Statistics that tests share.
enum FeedbackSamples {
  /// The mean of xᵀx over tokens whose features share a few directions, as activations do; some inputs are much larger.
  static func inputs(
    _ columnCount: Int, tokenCount: Int = 400, directionCount: Int = 12, seed: UInt64 = 1
  ) -> [Float] {
    var random = RandomSource(seed: seed)
    let directions = (0..<directionCount * columnCount).map { _ in random.gaussian() }
    let sizes = (0..<columnCount).map { _ in 0.2 + 2 * random.uniform() * random.uniform() }
    var inputs: [Float] = []
    for _ in 0..<tokenCount {
      let strengths = (0..<directionCount).map { 2 / Double($0 + 1) * random.gaussian() }
      for column in 0..<columnCount {
        var x = 0.4 * random.gaussian()
        for (index, strength) in strengths.enumerated() {
          x += strength * directions[index * columnCount + column]
        }
        inputs.append(Float(x * sizes[column]))
      }
    }
    return inputs
  }

  /// The mean of xᵀy over tokens.
  static func moments(_ x: [Float], _ y: [Float], columnCount: Int) -> [Float] {
    let tokenCount = x.count / columnCount
    var sums = [Double](repeating: 0, count: columnCount * columnCount)
    for token in 0..<tokenCount {
      for i in 0..<columnCount {
        for j in 0..<columnCount {
          sums[i * columnCount + j] +=
            Double(x[token * columnCount + i]) * Double(y[token * columnCount + j])
        }
      }
    }
    return sums.map { Float($0 / Double(tokenCount)) }
  }

  /// Statistics of 256 inputs, made once.
  static let wide = Result { try statistics(256) }

  static func statistics(
    _ columnCount: Int, tokenCount: Int = 400, seed: UInt64 = 1
  ) throws -> LayerStatistics {
    let x = inputs(columnCount, tokenCount: tokenCount, seed: seed)
    return try LayerStatistics(
      columnCount: columnCount, tokenCount: tokenCount,
      hessian: moments(x, x, columnCount: columnCount))
  }

  /// The sum over rows of (w - q)ᵀ H (w - q), for each row.
  static func objectives(_ w: [Float], _ q: [Float], _ hessian: [Float], _ n: Int) -> [Double] {
    (0..<w.count / n).map { row in
      let error = (0..<n).map { Double(w[row * n + $0]) - Double(q[row * n + $0]) }
      var sum = 0.0
      for i in 0..<n where error[i] != 0 {
        for j in 0..<n { sum += error[i] * Double(hessian[i * n + j]) * error[j] }
      }
      return sum
    }
  }
}

extension ErrorFeedback {
  func quantize(
    _ weights: [Float], columnCount: Int, as scheme: Scheme, _ statistics: LayerStatistics,
    threadCount: Int = 2
  ) throws -> (QuantizedTensor, LayerReport) {
    try weights.withUnsafeBufferPointer {
      try quantize(
        $0, rowCount: weights.count / columnCount, columnCount: columnCount, as: scheme,
        statistics: statistics, pool: WorkerPool(threadCount: threadCount))
    }
  }
}

/// Every kind of scheme whose groups lie along rows.
let feedbackSchemes: [Scheme] =
  blockTypes.compactMap(\.scheme)
  + [
    "int2-g16-asym", "int3-g64-asym", "int4-g64-sym", "int4-row-sym", "int4-g32-min-bf16",
    "int5-row-asym", "int6-g100-min", "int8-row-sym", "nf4-g64", "nf4-g64-dq", "fp4-g64", "mxfp4",
    "nvfp4", "kmeans3-row",
  ].compactMap { Scheme(name: $0) }
