internal import CNibbleKernels

/// Conversions of 8-bit floats E5M2 (5 bits of exponent, 2 of fraction), which Nibble holds as their bits.
///
/// Rounding is to nearest, ties to even; NaN stays NaN. Values beyond the largest, infinities too, become infinity or,
/// where saturating, the largest number.
public enum Float8E5M2 {
  /// The value of one number.
  public static func float(_ bits: UInt8) -> Float {
    var bits = bits
    var value: Float = 0
    VectorKernels.kernels.e5m2_to_float(&bits, 1, &value)
    return value
  }

  /// The nearest number to `value`.
  public static func bits(_ value: Float, overflow: NumberFormat.Overflow = .asDefined) -> UInt8 {
    var value = value
    var bits: UInt8 = 0
    VectorKernels.kernels.float_to_e5m2(&value, 1, overflow == .saturating ? 1 : 0, &bits)
    return bits
  }

  /// Converts `count` numbers to floats.
  public static func decode(
    _ bits: UnsafePointer<UInt8>, count: Int, into output: UnsafeMutablePointer<Float>
  ) { VectorKernels.kernels.e5m2_to_float(bits, count, output) }

  /// Rounds `count` floats.
  public static func encode(
    _ values: UnsafePointer<Float>, count: Int, overflow: NumberFormat.Overflow = .asDefined,
    into output: UnsafeMutablePointer<UInt8>
  ) {
    VectorKernels.kernels.float_to_e5m2(values, count, overflow == .saturating ? 1 : 0, output)
  }
}
