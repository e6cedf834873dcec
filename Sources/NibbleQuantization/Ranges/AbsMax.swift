/// The range from minus to plus the largest magnitude ("absmax").
///
/// Nothing is clipped. With a symmetric scheme the scale is `max |x| / highest level` and 0 stays 0 exactly.
public struct AbsMax: RangeEstimator {
  public init() {}

  public var name: String { "absmax" }

  public func fit(
    _ values: UnsafeBufferPointer<Float>, importance: UnsafeBufferPointer<Float>?, on grid: Grid
  ) -> GroupFit {
    let (low, high) = extremes(values)
    let largest = max(-low, high)
    return grid.fit(low: -largest, high: largest)
  }
}
