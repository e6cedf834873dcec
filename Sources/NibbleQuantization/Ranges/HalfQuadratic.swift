internal import Foundation

/// HQQ's half-quadratic fit of the zero point ("hqq").
///
/// Badri & Shaji 2023, "Half-Quadratic Quantization of Large Machine Learning Models": the scale is that of the
/// smallest and largest value; the zero point minimizes the sum of |error|^p, p = 0.7, by alternating between a
/// shrinkage of the errors and a mean. beta grows by kappa each of at most 20 rounds; it is in units of the weights, as
/// in the reference. A scheme without offset has no zero point: there the same alternation fits the scale.
public struct HalfQuadratic: RangeEstimator {
  private static let norm: Float = 0.7
  private static let firstBeta: Float = 10
  private static let kappa: Float = 1.01
  private static let roundCount = 20

  public init() {}

  public var name: String { "hqq" }

  public func fit(
    _ values: UnsafeBufferPointer<Float>, importance: UnsafeBufferPointer<Float>?, on grid: Grid
  ) -> GroupFit {
    let start = MinMax().fit(values, importance: importance, on: grid)
    guard start.scale.isFinite, abs(start.scale) >= .leastNormalMagnitude, grid.scale != .e8m0
    else { return start }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: values.count) { codes in
      alternate(values, importance, grid, start, codes)
    }
  }

  private func alternate(
    _ values: UnsafeBufferPointer<Float>, _ importance: UnsafeBufferPointer<Float>?, _ grid: Grid,
    _ start: GroupFit, _ codes: UnsafeMutableBufferPointer<UInt8>
  ) -> GroupFit {
    let levels = grid.levelValues
    var fit = start
    var best = start
    var leastError = Double.infinity
    var beta = Self.firstBeta
    for _ in 0..<Self.roundCount {
      grid.encode(values, grid.stored(fit), into: codes)
      let stored = grid.stored(fit)
      var error = 0.0
      var target = Target()
      for index in values.indices {
        let level = levels[Int(codes[index])]
        let weight = importance?[index] ?? 1
        let difference = values[index] - grid.value(level, stored)
        error += Double(weight * power(abs(difference), Self.norm))
        let kept = values[index] - shrink(difference, beta)
        target.add(kept: kept, level: level, weight: weight)
      }
      guard error < leastError else { break }
      leastError = error
      best = stored
      guard let next = target.fit(grid, fit) else { break }
      fit = next
      beta *= Self.kappa
    }
    return best
  }

  /// The proximal step of |error|^p: errors that rounding explains become 0, outliers stay.
  private func shrink(_ error: Float, _ beta: Float) -> Float {
    let magnitude = abs(error)
    guard magnitude > 0 else { return 0 }
    let rest = magnitude - power(magnitude, Self.norm - 1) / beta
    return rest > 0 ? (error < 0 ? -rest : rest) : 0
  }

  /// The sums of one round.
  private struct Target {
    var kept = 0.0
    var level = 0.0
    var product = 0.0
    var square = 0.0
    var weight = 0.0

    mutating func add(kept value: Float, level l: Float, weight w: Float) {
      let (value, l, w) = (Double(value), Double(l), Double(w))
      kept += w * value
      level += w * l
      product += w * l * value
      square += w * l * l
      weight += w
    }

    /// The next fit: the mean distance between codes and values as zero point, in the scheme's own terms.
    func fit(_ grid: Grid, _ old: GroupFit) -> GroupFit? {
      guard weight > 0 else { return nil }
      let scale = Double(old.scale)
      switch grid.offset {
      case .none:
        return square > 0 ? GroupFit(scale: Float(product / square), offset: 0) : nil
      case .zeroPoint:
        return GroupFit(scale: old.scale, offset: Float((level - kept / scale) / weight))
      case .minimum:
        return GroupFit(scale: old.scale, offset: Float((kept - level * scale) / weight))
      }
    }
  }
}

private func power(_ base: Float, _ exponent: Float) -> Float {
  base > 0 ? pow(base, exponent) : 0
}
