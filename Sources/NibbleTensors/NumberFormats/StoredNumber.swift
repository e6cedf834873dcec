/// One number as a format stores it, taken apart.
public struct StoredNumber: Sendable {
  /// What kind of number a pattern is.
  public enum Kind: String, Sendable {
    case zero, subnormal, normal, infinity
    case nan = "NaN"
  }

  /// The number that was to be stored.
  public let value: Double
  public let format: NumberFormat
  /// How integers stand for numbers; nil for other formats.
  public let scaling: IntegerScaling?
  /// The pattern.
  public let bits: UInt32

  /// Rounds `value` to the nearest number of `format`.
  ///
  /// - Parameters:
  ///   - value: any number.
  ///   - format: the format to store it in.
  ///   - scaling: how integers stand for numbers, by default each for itself; other formats do not use it.
  ///   - overflow: what becomes of numbers that are too large.
  public init(
    _ value: Double, format: NumberFormat, scaling: IntegerScaling = IntegerScaling(scale: 1),
    overflow: NumberFormat.Overflow = .asDefined
  ) {
    self.value = value
    self.format = format
    if case .integer = format.kind {
      self.scaling = scaling
      bits = format.encode(value / scaling.scale + Double(scaling.zeroPoint), overflow: overflow)
    } else {
      self.scaling = nil
      bits = format.encode(value, overflow: overflow)
    }
  }

  /// The number that the pattern stands for.
  public var storedValue: Double {
    let number = Double(format.decode(bits))
    guard let scaling else { return number }
    return (number - Double(scaling.zeroPoint)) * scaling.scale
  }

  /// The pattern as an integer; nil for other formats.
  public var code: Int? { scaling == nil ? nil : Int(format.decode(bits)) }

  /// Whether the number is negative; nil for formats without sign.
  public var isNegative: Bool? {
    format.signBitCount == 0 ? nil : bits >> UInt32(format.bitCount - 1) & 1 == 1
  }

  /// The bits of the exponent; nil for integers.
  public var exponentField: UInt32? {
    guard format.exponentBitCount > 0 else { return nil }
    return bits >> UInt32(format.fractionBitCount) & (1 << UInt32(format.exponentBitCount) - 1)
  }

  /// The bits after the exponent, or after the sign of an integer.
  public var fractionField: UInt32 { bits & (1 << UInt32(format.fractionBitCount) - 1) }

  public var kind: Kind {
    let number = format.decode(bits)
    if number.isNaN { return .nan }
    if number.isInfinite { return .infinity }
    if number == 0 { return .zero }
    guard let smallest = format.smallestNormal else { return .normal }
    return Double(number.magnitude) < smallest ? .subnormal : .normal
  }

  /// The power of two that the significand is multiplied by; nil unless the number is normal or subnormal, and for integers.
  public var exponent: Int? {
    guard let field = exponentField, let bias = format.exponentBias else { return nil }
    switch kind {
    case .normal: return Int(field) - bias
    case .subnormal: return 1 - bias
    case .zero, .infinity, .nan: return nil
    }
  }

  /// The fraction with the bit before its point, 1 in normal numbers: at least 0, less than 2. Nil where ``exponent`` is.
  public var significand: Double? {
    guard exponent != nil, let epsilon = format.machineEpsilon else { return nil }
    return (kind == .normal ? 1 : 0) + Double(fractionField) * epsilon
  }

  /// `|stored - value|`: 0 where both are NaN or the same infinity, else infinite or NaN if either is.
  public var absoluteError: Double {
    if storedValue == value || storedValue.isNaN && value.isNaN { return 0 }
    return (storedValue - value).magnitude
  }

  /// ``absoluteError`` over the value's magnitude; 0 or infinite where the error is.
  public var relativeError: Double {
    absoluteError == 0 || absoluteError.isInfinite
      ? absoluteError : absoluteError / value.magnitude
  }
}
