internal import CNibbleKernels
internal import NibbleTensors

/// How a checkpoint rounded the numbers that it stores.
struct NumberRounding: Sendable {
  private enum Kind: Sendable { case float32, float16, bfloat16 }
  private let kind: Kind
  private let fractionBitCount: Int
  /// That of the smallest number that is not subnormal.
  private let leastExponent: Int

  /// - Returns: nil for types that are no floats of 16 or 32 bits.
  init?(_ type: DType) {
    switch type {
    case .float32: (kind, fractionBitCount, leastExponent) = (.float32, 23, -126)
    case .float16: (kind, fractionBitCount, leastExponent) = (.float16, 10, -14)
    case .bfloat16: (kind, fractionBitCount, leastExponent) = (.bfloat16, 7, -126)
    default: return nil
    }
  }

  /// The nearest number, ties to even.
  func rounded(_ value: Float) -> Float {
    switch kind {
    case .float32: value
    case .float16: nk_through_half(value)
    case .bfloat16: nk_through_bfloat(value)
    }
  }

  /// Rounds all values in place.
  func round(_ values: UnsafeMutableBufferPointer<Float>) {
    guard kind != .float32 else { return }
    for index in values.indices { values[index] = rounded(values[index]) }
  }

  /// A distance from `value` beyond which no real number, rounded to a float and then to the type, gives it.
  func radius(_ value: Float) -> Double {
    let magnitude = Double(abs(value))
    let exponent = magnitude == 0 ? leastExponent : max(Int(magnitude.exponent), leastExponent)
    let half = Self.power(exponent - fractionBitCount - 1)
    return half * 1.001 + (kind == .float32 ? 0 : magnitude * 0x1p-23 + 0x1p-149)
  }

  /// 2^exponent, for exponents of floats.
  private static func power(_ exponent: Int) -> Double {
    Double(bitPattern: UInt64(exponent + 1023) << 52)
  }
}
