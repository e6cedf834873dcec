internal import CNibbleKernels

/// Conversions of 4-bit floats E2M1 (2 bits of exponent, 1 of fraction; every pattern a finite number), one in
/// the low half of each byte, which Nibble holds as their bits.
///
/// Rounding is to nearest, ties to even; values beyond the largest, 6, become that, and NaN becomes zero. The upper half
/// of a byte is written as zero and not read.
public enum Float4E2M1 {
  /// The value of one number.
  public static func float(_ bits: UInt8) -> Float {
    var bits = bits
    var value: Float = 0
    VectorKernels.kernels.e2m1_to_float(&bits, 1, &value)
    return value
  }

  /// The nearest number to `value`.
  public static func bits(_ value: Float) -> UInt8 {
    var value = value
    var bits: UInt8 = 0
    VectorKernels.kernels.float_to_e2m1(&value, 1, &bits)
    return bits
  }

  /// Converts `count` numbers to floats.
  public static func decode(
    _ bits: UnsafePointer<UInt8>, count: Int, into output: UnsafeMutablePointer<Float>
  ) { VectorKernels.kernels.e2m1_to_float(bits, count, output) }

  /// Rounds `count` floats.
  public static func encode(
    _ values: UnsafePointer<Float>, count: Int, into output: UnsafeMutablePointer<UInt8>
  ) { VectorKernels.kernels.float_to_e2m1(values, count, output) }
}
