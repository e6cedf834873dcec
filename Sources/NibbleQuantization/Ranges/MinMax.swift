/// The range from the smallest to the largest value.
///
/// Nothing is clipped. With a zero point, the range is widened to hold 0 (Jacob et al. 2018, arXiv:1712.05877, section
/// 2.1); with a symmetric scheme it is that of ``AbsMax``.
public struct MinMax: RangeEstimator {
  public init() {}

  public var name: String { "minmax" }

  public func fit(
    _ values: UnsafeBufferPointer<Float>, importance: UnsafeBufferPointer<Float>?, on grid: Grid
  ) -> GroupFit {
    let (low, high) = extremes(values)
    return grid.fit(low: low, high: high)
  }
}
