extension GGMLType {
  /// The scheme that a block type stores; nil for floats, integers, and types that Nibble does not quantize to.
  public var scheme: Scheme? {
    switch self {
    case .q4_0: .blockScale(.int(bits: 4))
    case .q5_0: .blockScale(.int(bits: 5))
    case .q8_0: .blockScale(.int(bits: 8))
    case .iq4_nl: .blockScale(.codebook(.iq4nl))
    case .mxfp4: Scheme(element: .codebook(.e2m1), granularity: .group(32), scale: .e8m0)
    case .q4_1: .blockScale(.uint(bits: 4), offset: .minimum(.float16))
    case .q5_1: .blockScale(.uint(bits: 5), offset: .minimum(.float16))
    case .q2_k: .superBlock(.uint(bits: 2), sub: 16, scaleBits: 4, hasOffset: true)
    case .q3_k: .superBlock(.int(bits: 3), sub: 16, scaleBits: 6, hasOffset: false)
    case .q4_k: .superBlock(.uint(bits: 4), sub: 32, scaleBits: 6, hasOffset: true)
    case .q5_k: .superBlock(.uint(bits: 5), sub: 32, scaleBits: 6, hasOffset: true)
    case .q6_k: .superBlock(.int(bits: 6), sub: 16, scaleBits: 8, hasOffset: false)
    case .iq4_xs: .superBlock(.codebook(.iq4nl), sub: 32, scaleBits: 6, hasOffset: false)
    default: nil
    }
  }

  /// The block type that stores `scheme`.
  public init?(scheme: Scheme) {
    guard let type = Self.allCases.first(where: { $0.scheme == scheme }) else { return nil }
    self = type
  }
}

extension Scheme {
  /// 32 elements with an f16 scale.
  fileprivate static func blockScale(_ element: ElementFormat, offset: Offset = .none) -> Scheme {
    Scheme(element: element, granularity: .group(32), scale: .float16, offset: offset)
  }

  /// 256 elements with an f16 scale, times an integer for each sub-block. With an offset, scales are not negative,
  /// and the offset is stored the same way.
  fileprivate static func superBlock(
    _ element: ElementFormat, sub: Int, scaleBits: Int, hasOffset: Bool
  ) -> Scheme {
    let format = ScaleFormat.integer(bits: scaleBits, isSigned: !hasOffset, over: .float16)
    return Scheme(
      element: element, granularity: .block(super: 256, sub: sub), scale: format,
      offset: hasOffset ? .minimum(format) : .none)
  }
}
