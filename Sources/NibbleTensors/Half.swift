internal import CNibbleKernels

/// Conversions of IEEE 754 half floats (binary16), which Nibble holds as their bits.
///
/// Rounding is to nearest, ties to even; overflow gives infinity, and NaN stays NaN.
public enum Half {
  /// The value of one number.
  public static func float(_ bits: UInt16) -> Float {
    var bits = bits
    var value: Float = 0
    VectorKernels.kernels.half_to_float(&bits, 1, &value)
    return value
  }

  /// The nearest number to `value`.
  public static func bits(_ value: Float) -> UInt16 {
    var value = value
    var bits: UInt16 = 0
    VectorKernels.kernels.float_to_half(&value, 1, &bits)
    return bits
  }

  /// Converts `count` numbers to floats.
  public static func decode(
    _ bits: UnsafePointer<UInt16>, count: Int, into output: UnsafeMutablePointer<Float>
  ) { VectorKernels.kernels.half_to_float(bits, count, output) }

  /// Rounds `count` floats.
  public static func encode(
    _ values: UnsafePointer<Float>, count: Int, into output: UnsafeMutablePointer<UInt16>
  ) { VectorKernels.kernels.float_to_half(values, count, output) }
}
