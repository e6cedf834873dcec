/// Scales of 8 bits: E8M0 and E4M3 (OCP Microscaling formats v1.0, sections 5.3.1 and 5.4.1).
enum EightBitScale {
  /// 2^(code - 127); NaN for 255.
  static func e8m0(_ code: UInt8) -> Float {
    switch code {
    case 0: Float(sign: .plus, exponent: -127, significand: 1)
    case 255: .nan
    default: Float(bitPattern: UInt32(code) << 23)
    }
  }

  /// The exponent code of 2^floor(log2 magnitude), limited to what E8M0 holds; 0 for zero.
  static func exponentCode(_ magnitude: Float) -> Int {
    magnitude == 0 ? -127 : Int(magnitude.exponent)
  }

  /// The value of each E4M3 code.
  static let e4m3Levels: [Float] = (0..<256).map { code in
    let sign: Float = code & 0x80 == 0 ? 1 : -1
    let (exponent, fraction) = (code >> 3 & 15, Float(code & 7))
    if code & 0x7F == 0x7F { return .nan }
    if exponent == 0 { return sign * fraction * 0x1p-9 }
    return sign * (8 + fraction) * Float(sign: .plus, exponent: exponent - 10, significand: 1)
  }

  /// The code of the nearest E4M3 number of a magnitude, ties to even, at most 448.
  static func e4m3Code(_ magnitude: Float) -> UInt8 {
    guard magnitude > 0 else { return 0 }
    var (low, high) = (0, 126)
    while low < high {
      let middle = (low + high + 1) / 2
      if e4m3Levels[middle] <= magnitude { low = middle } else { high = middle - 1 }
    }
    guard low < 126 else { return 126 }
    let below = magnitude - e4m3Levels[low]
    let above = e4m3Levels[low + 1] - magnitude
    return UInt8(below < above || below == above && low % 2 == 0 ? low : low + 1)
  }
}
