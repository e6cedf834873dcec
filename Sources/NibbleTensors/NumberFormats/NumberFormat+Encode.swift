extension NumberFormat {
  /// The pattern of the number nearest to `value`: ties to even, subnormals kept.
  ///
  /// Infinities are values beyond the largest. NaN gives NaN, or zero in formats without it. Integers saturate
  /// whatever `overflow` says. A power of two has neither sign nor zero: a tie goes to the larger one, negative values
  /// are NaN, and zero is NaN, or the smallest power where saturating.
  public func encode(_ value: Double, overflow: Overflow = .asDefined) -> UInt32 {
    switch kind {
    case .floating(_, let fraction, let bias, _):
      encodeFloating(value, fraction: fraction, bias: bias, overflow)
    case .integer: encodeInteger(value)
    case .powerOfTwo(_, let bias): encodePower(value, bias: bias, overflow)
    }
  }

  /// As for a `Double`; nothing is rounded twice.
  public func encode(_ value: Float, overflow: Overflow = .asDefined) -> UInt32 {
    encode(Double(value), overflow: overflow)
  }

  /// The number that a pattern stands for, exactly. Bits above ``bitCount`` are ignored.
  public func decode(_ bits: UInt32) -> Float { Float(decodeDouble(bits)) }

  /// All bits of a pattern.
  var mask: UInt32 { UInt32(truncatingIfNeeded: (UInt64(1) << UInt64(bitCount)) - 1) }

  /// The place of a floating-point format's sign.
  var signBit: UInt32 { 1 << UInt32(bitCount - 1) }

  /// The pattern of NaN (without sign); nil in formats that have none.
  public var nanBits: UInt32? {
    switch kind {
    case .floating(_, let fraction, _, .infinitiesAndNaN):
      (signBit - 1) ^ ((1 << UInt32(fraction - 1)) - 1)
    case .floating(_, _, _, .nanOnly): signBit - 1
    case .floating(_, _, _, .nanForNegativeZero): signBit
    case .powerOfTwo: mask
    case .floating(_, _, _, .none), .integer: nil
    }
  }

  /// The pattern of positive infinity; nil in formats that have none.
  public var infinityBits: UInt32? {
    guard case .floating(_, let fraction, _, .infinitiesAndNaN) = kind else { return nil }
    return (signBit - 1) ^ ((1 << UInt32(fraction)) - 1)
  }

  /// The pattern of the largest number.
  public var largestBits: UInt32 {
    switch kind {
    case .floating(_, _, _, .infinitiesAndNaN): (infinityBits ?? signBit) - 1
    case .floating(_, _, _, .nanOnly): signBit - 2
    case .floating, .integer(_, isSigned: true): signBit - 1
    case .integer(_, isSigned: false): mask
    case .powerOfTwo: mask - 1
    }
  }

  private func encodeFloating(
    _ value: Double, fraction: Int, bias: Int, _ overflow: Overflow
  ) -> UInt32 {
    if value.isNaN {
      guard let nanBits else { return 0 }
      return nanBits == signBit ? nanBits : nanBits | sign(value)
    }
    let magnitude = value.magnitude
    guard magnitude > 0 else { return nanBits == signBit ? 0 : sign(value) }
    // In units of the last place the nearest number is an integer; with the exponent field before it, the pattern.
    var pattern = Int.max
    if magnitude.isFinite {
      let exponent = max(Int(magnitude.exponent), 1 - bias)
      let units = Double(sign: .plus, exponent: fraction - exponent, significand: magnitude)
      pattern = (exponent + bias - 1) << fraction + Int(units.rounded(.toNearestOrEven))
    }
    guard pattern > Int(largestBits) else {
      return pattern == 0 && nanBits == signBit ? 0 : UInt32(pattern) | sign(value)
    }
    guard overflow == .asDefined, let beyond = infinityBits ?? nanBits else {
      return largestBits | sign(value)
    }
    return beyond | sign(value)
  }

  private func sign(_ value: Double) -> UInt32 { value.sign == .minus ? signBit : 0 }

  private func encodeInteger(_ value: Double) -> UInt32 {
    guard !value.isNaN else { return 0 }
    let nearest = min(max(value.rounded(.toNearestOrEven), lowest), largest)
    return UInt32(truncatingIfNeeded: Int(nearest)) & mask
  }

  private func encodePower(_ value: Double, bias: Int, _ overflow: Overflow) -> UInt32 {
    guard value >= 0, value > 0 || overflow == .saturating else { return mask }
    guard value > 0 else { return 0 }
    guard value.isFinite else { return overflow == .saturating ? largestBits : mask }
    let pattern = Int(value.exponent) + (value.significand >= 1.5 ? 1 : 0) + bias
    guard pattern <= Int(largestBits) else {
      return overflow == .saturating ? largestBits : mask
    }
    return UInt32(max(pattern, 0))
  }

  private func decodeDouble(_ bits: UInt32) -> Double {
    let bits = bits & mask
    switch kind {
    case .floating(_, let fraction, let bias, _):
      let magnitude = bits & (signBit - 1)
      let isNegative = bits & signBit != 0
      if isNaN(bits) { return .nan }
      let size: Double
      if magnitude == infinityBits {
        size = .infinity
      } else {
        let field = Int(magnitude >> UInt32(fraction))
        let unit = 1 << fraction
        let units = Int(magnitude) & (unit - 1) | (field > 0 ? unit : 0)
        size = Double(
          sign: .plus, exponent: max(field, 1) - bias - fraction, significand: Double(units))
      }
      return isNegative ? -size : size
    case .integer(_, let isSigned):
      return isSigned && bits & signBit != 0 ? Double(bits) - Double(mask) - 1 : Double(bits)
    case .powerOfTwo(_, let bias):
      return bits == mask ? .nan : Double(sign: .plus, exponent: Int(bits) - bias, significand: 1)
    }
  }

  /// Whether a pattern is NaN.
  func isNaN(_ bits: UInt32) -> Bool {
    guard let nanBits else { return false }
    guard case .floating(_, _, _, let special) = kind, special != .nanForNegativeZero else {
      return bits == nanBits
    }
    let magnitude = bits & (signBit - 1)
    return special == .nanOnly ? magnitude == nanBits : magnitude > (infinityBits ?? nanBits)
  }
}
