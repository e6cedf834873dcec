/// Scales (or offsets) as they are stored, so that packing them again gives the same bytes.
public indirect enum ScaleTree: Hashable, Sendable {
  case float32([Float])
  /// Bits of half-precision numbers.
  case float16([UInt16])
  /// Bits of bfloat16 numbers.
  case bfloat16([UInt16])
  /// Integers times the scale of a parent: each parent belongs to `codes.count / parent.count` neighbours.
  ///
  /// A signed integer of b bits is stored with 2^(b-1) added, as in ``ElementFormat``.
  case integer(codes: [UInt8], bits: Int, isSigned: Bool, parent: ScaleTree)

  /// The number of scales.
  public var count: Int {
    switch self {
    case .float32(let values): values.count
    case .float16(let bits), .bfloat16(let bits): bits.count
    case .integer(let codes, _, _, _): codes.count
    }
  }

  /// How the scales are stored.
  public var format: ScaleFormat {
    switch self {
    case .float32: .float32
    case .float16: .float16
    case .bfloat16: .bfloat16
    case .integer(_, let bits, let isSigned, let parent):
      .integer(bits: bits, isSigned: isSigned, over: parent.format)
    }
  }

  /// The scales as numbers. A product of integer and parent is rounded once, to float.
  ///
  /// - Precondition: the number of integers is a multiple of their parents' number.
  public func values() -> [Float] {
    switch self {
    case .float32(let values): return values
    case .float16(let bits): return Self.decode(.f16, bits)
    case .bfloat16(let bits): return Self.decode(.bf16, bits)
    case .integer(let codes, let bits, let isSigned, let parent):
      guard !codes.isEmpty else { return [] }
      let parents = parent.values()
      precondition(!parents.isEmpty && codes.count % parents.count == 0)
      let childCount = codes.count / parents.count
      let bias = isSigned ? 1 << (bits - 1) : 0
      return codes.indices.map { parents[$0 / childCount] * Float(Int(codes[$0]) - bias) }
    }
  }

  private static func decode(_ type: GGMLType, _ bits: [UInt16]) -> [Float] {
    [Float](unsafeUninitializedCapacity: bits.count) { values, count in
      let target = UnsafeMutableBufferPointer(rebasing: values[..<bits.count])
      bits.withUnsafeBytes { BlockCodec.decode(type, $0, into: target) }
      count = bits.count
    }
  }
}
