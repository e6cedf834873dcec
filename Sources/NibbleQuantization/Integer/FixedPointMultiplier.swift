/// A positive real factor as a 31-bit integer and a power of two, so that integers are scaled without floating point.
///
/// The factor is `mantissa · 2^(exponent - 31)` with `2³⁰ <= mantissa < 2³¹` (Jacob et al. 2018, arXiv:1712.05877, section
/// 2.2; gemmlowp). It is off by a relative 2⁻³¹ at most.
public struct FixedPointMultiplier: Hashable, Sendable {
  public let mantissa: Int32
  public let exponent: Int

  /// The nearest factor.
  ///
  /// - Precondition: finite and > 0.
  public init(_ factor: Double) {
    precondition(factor > 0 && factor.isFinite)
    let rounded = (factor.significand * 0x1p30).rounded()
    let isTwo = rounded == 0x1p31
    mantissa = Int32(isTwo ? 0x1p30 : rounded)
    exponent = Int(factor.exponent) + (isTwo ? 2 : 1)
  }

  /// The product, rounded once to the nearest integer, halves away from zero, and cut to what 32 bits hold.
  public func callAsFunction(_ value: Int32) -> Int32 {
    let magnitude = UInt64(value.magnitude) * UInt64(mantissa)
    let shift = 31 - exponent
    let rounded: UInt64
    if magnitude == 0 || shift > 62 {
      // The product is below 2⁶², so it is less than a half.
      rounded = 0
    } else if shift > 0 {
      rounded = (magnitude + (1 << UInt64(shift - 1))) >> UInt64(shift)
    } else {
      // At least 2³⁰ before the shift.
      rounded = shift < -1 ? .max : magnitude << UInt64(-shift)
    }
    return value < 0
      ? Int32(truncatingIfNeeded: -Int64(min(rounded, 1 << 31)))
      : Int32(truncatingIfNeeded: min(rounded, UInt64(Int32.max)))
  }
}
