/// The range that keeps most information, by TensorRT's entropy calibration ("kl").
///
/// Migacz 2017, "8-bit Inference with TensorRT": of a histogram of magnitudes with 2048 bins, the threshold is taken
/// whose clipped distribution differs least (Kullback-Leibler divergence) from itself on as many levels as the scheme has
/// for magnitudes (128 for 8 bits, ``EntropyThreshold``). Values beyond the threshold are clipped. Meant for large
/// groups: a few dozen values make no histogram.
public struct KLDivergence: RangeEstimator {
  /// Bins of the histogram for each level of magnitude: 2048 for the 128 of 8 bits.
  private static let binsPerLevel = 16
  private static let leastBinCount = 256

  public init() {}

  public var name: String { "kl" }

  public func fit(
    _ values: UnsafeBufferPointer<Float>, importance: UnsafeBufferPointer<Float>?, on grid: Grid
  ) -> GroupFit {
    let (low, high) = extremes(values)
    let largest = max(-low, high)
    guard largest >= .leastNormalMagnitude else { return grid.fit(low: low, high: high) }
    let levelCount = max(grid.magnitudeCount, 2)
    let histogram = Histogram.magnitudes(
      of: values, weights: importance,
      binCount: max(Self.binsPerLevel * levelCount, Self.leastBinCount))
    let found = EntropyThreshold(levelCount: levelCount).threshold(of: histogram)
    let threshold = min(Float(found), largest)
    return grid.fit(low: max(low, -threshold), high: min(high, threshold))
  }
}
