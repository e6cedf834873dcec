internal import CNibbleKernels

/// Conversions of 8-bit floats E4M3 (4 bits of exponent, 3 of fraction; no infinities), which Nibble holds as
/// their bits.
///
/// Rounding is to nearest, ties to even; NaN stays NaN. Values beyond the largest, infinities too, become NaN or,
/// where saturating, the largest number.
public enum Float8E4M3 {
  /// The value of one number.
  public static func float(_ bits: UInt8) -> Float {
    var bits = bits
    var value: Float = 0
    VectorKernels.kernels.e4m3_to_float(&bits, 1, &value)
    return value
  }

  /// The nearest number to `value`.
  public static func bits(_ value: Float, overflow: NumberFormat.Overflow = .asDefined) -> UInt8 {
    var value = value
    var bits: UInt8 = 0
    VectorKernels.kernels.float_to_e4m3(&value, 1, overflow == .saturating ? 1 : 0, &bits)
    return bits
  }

  /// Converts `count` numbers to floats.
  public static func decode(
    _ bits: UnsafePointer<UInt8>, count: Int, into output: UnsafeMutablePointer<Float>
  ) { VectorKernels.kernels.e4m3_to_float(bits, count, output) }

  /// Rounds `count` floats.
  public static func encode(
    _ values: UnsafePointer<Float>, count: Int, overflow: NumberFormat.Overflow = .asDefined,
    into output: UnsafeMutablePointer<UInt8>
  ) {
    VectorKernels.kernels.float_to_e4m3(values, count, overflow == .saturating ? 1 : 0, output)
  }
}
