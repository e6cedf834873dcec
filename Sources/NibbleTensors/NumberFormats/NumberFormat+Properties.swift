extension NumberFormat {
  /// Bits of the sign: 1 or 0. A signed integer's highest bit is counted here.
  public var signBitCount: Int {
    switch kind {
    case .floating, .integer(_, isSigned: true): 1
    case .integer(_, isSigned: false), .powerOfTwo: 0
    }
  }

  /// Bits of the exponent; 0 for integers.
  public var exponentBitCount: Int {
    switch kind {
    case .floating(let exponent, _, _, _), .powerOfTwo(let exponent, _): exponent
    case .integer: 0
    }
  }

  /// Bits after the binary point of a float; the bits beside the sign of an integer.
  public var fractionBitCount: Int { bitCount - signBitCount - exponentBitCount }

  /// What is subtracted from the exponent field; nil for integers.
  public var exponentBias: Int? {
    switch kind {
    case .floating(_, _, let bias, _), .powerOfTwo(_, let bias): bias
    case .integer: nil
    }
  }

  /// The largest finite number.
  public var largest: Double { Double(decode(largestBits)) }

  /// The lowest finite number: the largest one's negative in floats, 0 in unsigned integers.
  public var lowest: Double {
    switch kind {
    case .floating: -largest
    case .integer(_, isSigned: true): -Double(signBit)
    case .integer(_, isSigned: false): 0
    case .powerOfTwo: smallestNormal ?? 0
    }
  }

  /// The smallest positive number of full precision; nil for integers.
  public var smallestNormal: Double? {
    switch kind {
    case .floating(_, let fraction, _, _): Double(decode(1 << UInt32(fraction)))
    case .integer: nil
    case .powerOfTwo: Double(decode(0))
    }
  }

  /// The smallest positive number below the normal ones; nil where there are none.
  public var smallestSubnormal: Double? {
    if case .floating = kind { Double(decode(1)) } else { nil }
  }

  public var hasInfinities: Bool { infinityBits != nil }

  public var hasNaN: Bool { nanBits != nil }

  /// The distance from 1 to the next larger number, `2^-fractionBitCount`; nil for integers, whose steps are all 1.
  public var machineEpsilon: Double? {
    if case .integer = kind { return nil }
    return Double(sign: .plus, exponent: -fractionBitCount, significand: 1)
  }

  /// Decimal digits that the significand is worth: `log10(2)` times its bits, the hidden one included.
  public var significantDecimalDigits: Double {
    let bits = if case .integer = kind { fractionBitCount } else { fractionBitCount + 1 }
    return Double(bits) * 0.301029995663981195
  }

  /// Bytes of one number, where numbers are packed without gaps.
  public var bytesPerValue: Double { Double(bitCount) / 8 }
}
