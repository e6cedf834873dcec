/// The step and the code of zero with which integers stand for numbers: `value = (code - zeroPoint) · scale`.
public struct IntegerScaling: Hashable, Sendable {
  /// The distance between neighbouring numbers; positive.
  public let scale: Double
  /// The integer that stands for zero.
  public let zeroPoint: Int

  public init(scale: Double, zeroPoint: Int = 0) {
    self.scale = scale
    self.zeroPoint = zeroPoint
  }

  /// The least scaling whose integers reach all of `values`; infinities and NaN do not count. Where there is nothing to
  /// reach, or `format` is not one of integers, every number stands for itself.
  ///
  /// Signed integers are spread evenly to both sides of zero: the largest magnitude becomes the largest integer (absmax).
  /// Unsigned ones run from the least value to the greatest, with zero among them (zero-point).
  public init(_ values: [Double], format: NumberFormat) {
    guard case .integer(_, let isSigned) = format.kind else {
      self.init(scale: 1)
      return
    }
    let finite = values.filter(\.isFinite)
    let low = min(finite.min() ?? 0, 0)
    let high = max(finite.max() ?? 0, 0)
    // Divided before they are added, as the range of two large numbers may be infinite.
    let step =
      isSigned ? max(-low, high) / format.largest : high / format.largest - low / format.largest
    let scale = step > 0 ? step : 1
    let zero = isSigned ? 0 : min((-low / scale).rounded(.toNearestOrEven), format.largest)
    self.init(scale: scale, zeroPoint: Int(zero))
  }
}
