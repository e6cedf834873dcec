/// The range between two quantiles: the given share of all values is not clipped, the rest is cut off in equal parts
/// at both ends ("percentile=99.9").
///
/// With a symmetric scheme it is the quantile of the magnitudes. Importance weights the quantiles.
public struct Percentile: RangeEstimator {
  /// The share of values that the range holds, in per cent.
  public let percentage: Double

  /// - Precondition: `percentage` is in 0...100, and not 0.
  public init(_ percentage: Double = 99.9) {
    precondition(percentage > 0 && percentage <= 100)
    self.percentage = percentage
  }

  public var name: String { "percentile=\(percentage)" }

  public func fit(
    _ values: UnsafeBufferPointer<Float>, importance: UnsafeBufferPointer<Float>?, on grid: Grid
  ) -> GroupFit {
    let share = percentage / 100
    guard grid.isSymmetric else {
      let tail = (1 - share) / 2
      let ends = quantiles(of: values, weights: importance, [tail, 1 - tail])
      return grid.fit(low: ends[0], high: ends[1])
    }
    return withUnsafeTemporaryAllocation(of: Float.self, capacity: values.count) { magnitudes in
      for index in values.indices { magnitudes[index] = abs(values[index]) }
      let largest = quantiles(
        of: UnsafeBufferPointer(magnitudes), weights: importance, [share])[0]
      return grid.fit(low: -largest, high: largest)
    }
  }
}
