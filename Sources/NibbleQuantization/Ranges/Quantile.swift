/// Exact quantiles of a buffer.
///
/// Without weights quantile `f` of `n` ascending values is the one at position `f (n - 1)`, linear between neighbours
/// (definition 7 of Hyndman and Fan 1996, numpy's default).
///
/// With weights each ascending value stands at the middle of its mass: position `pₖ = w₁ + … + wₖ₋₁ + wₖ / 2`, where
/// equal values share their mass evenly and values without mass are left out. Quantile `f` is the value at
/// `p₁ + f (pₙ - p₁)`, linear between neighbours. Equal weights give the unweighted quantiles, a common factor of all
/// weights changes nothing, and the quantile `1 - f` of `-x` is minus the quantile `f` of `x`.
///
/// - Parameters:
///   - values: in any order; infinities are values like others without weights.
///   - weights: a mass for each value, or nil. Values that are not finite, or whose weight is not finite and > 0, are
///     left out then.
///   - fractions: each in 0...1, in any order.
/// - Returns: the quantile of each fraction, computed in Double and rounded once; NaN where no value is left, and
///   without weights also where one is NaN.
/// - Complexity: without weights two passes over the buffer and no copy of it; with weights a radix sort.
public func quantiles(
  of values: UnsafeBufferPointer<Float>, weights: UnsafeBufferPointer<Float>? = nil,
  _ fractions: [Double]
) -> [Float] {
  precondition(fractions.allSatisfy { (0...1).contains($0) }, "fractions lie in 0...1")
  if let weights {
    return WeightedPositions(values, weights).quantiles(fractions)
  }
  guard !values.isEmpty else { return fractions.map { _ in .nan } }
  let positions = fractions.map { $0 * Double(values.count - 1) }
  let ranks = Set(positions.flatMap { [Int($0), min(Int($0) + 1, values.count - 1)] }).sorted()
  guard let selected = OrderStatistics.select(ranks, of: values) else {
    return fractions.map { _ in .nan }
  }
  return positions.map { position in
    let rank = Int(position)
    let low = selected[rank, default: .nan]
    let high = selected[min(rank + 1, values.count - 1), default: .nan]
    return interpolate(low, high, position - Double(rank))
  }
}

/// The value a fraction of the way from one value to the next.
private func interpolate(_ low: Float, _ high: Float, _ fraction: Double) -> Float {
  if low == high || fraction == 0 { return low }
  return Float(Double(low) + (Double(high) - Double(low)) * fraction)
}

/// Ascending values, each at the middle of its mass.
private struct WeightedPositions {
  private var values: [Float] = []
  private var positions: [Double] = []

  init(_ source: UnsafeBufferPointer<Float>, _ weights: UnsafeBufferPointer<Float>) {
    let pairs = OrderedValues.sorted(source, weights: weights)
    values.reserveCapacity(pairs.count)
    positions.reserveCapacity(pairs.count)
    var below = 0.0
    var start = 0
    while start < pairs.count {
      let key = pairs[start] >> 32
      var end = start
      var mass = 0.0
      while end < pairs.count, pairs[end] >> 32 == key {
        mass += Double(Float(bitPattern: UInt32(truncatingIfNeeded: pairs[end])))
        end += 1
      }
      // Of equal values only the outermost matter to what lies between two different ones.
      let half = mass / Double(end - start) / 2
      let value = OrderedValues.value(UInt32(key))
      values.append(value)
      positions.append(below + half)
      if end - start > 1 {
        values.append(value)
        positions.append(below + mass - half)
      }
      below += mass
      start = end
    }
  }

  func quantiles(_ fractions: [Double]) -> [Float] {
    guard let first = positions.first, let last = positions.last else {
      return fractions.map { _ in .nan }
    }
    return fractions.map { fraction in
      if fraction == 1 { return values[values.count - 1] }
      let target = first + fraction * (last - first)
      // The first position beyond the target; the target lies between it and the one before.
      var low = 0
      var high = positions.count
      while low < high {
        let middle = (low + high) / 2
        if positions[middle] > target { high = middle } else { low = middle + 1 }
      }
      guard low > 0, low < positions.count else { return values[min(low, values.count - 1)] }
      let step = positions[low] - positions[low - 1]
      return interpolate(values[low - 1], values[low], (target - positions[low - 1]) / step)
    }
  }
}
