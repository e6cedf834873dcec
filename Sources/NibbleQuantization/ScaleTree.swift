/// Scales (or offsets) as they are stored, so that packing them again gives the same bytes.
public indirect enum ScaleTree: Hashable, Sendable {
  case float32([Float])
  /// Bits of half-precision numbers.
  case float16([UInt16])
  /// Bits of bfloat16 numbers.
  case bfloat16([UInt16])
  /// Exponents with a bias of 127; 255 is NaN.
  case e8m0([UInt8])
  /// Bits of E4M3 numbers, times one scale of the tensor.
  case e4m3([UInt8], tensorScale: Float)
  /// Codes of ``DynamicMap``, times the largest magnitude of their block of ``doubleBlockCount``, plus the mean.
  case doubleQuantized(codes: [UInt8], largest: [Float], mean: Float)
  /// Integers times the scale of a parent: each parent belongs to `codes.count / parent.count` neighbours.
  ///
  /// A signed integer of b bits is stored with 2^(b-1) added, as in ``ElementFormat``.
  case integer(codes: [UInt8], bits: Int, isSigned: Bool, parent: ScaleTree)

  /// Scales that share a second scale in double quantization.
  public static let doubleBlockCount = 256

  /// The number of scales.
  public var count: Int {
    switch self {
    case .float32(let values): values.count
    case .float16(let bits), .bfloat16(let bits): bits.count
    case .e8m0(let codes), .e4m3(let codes, _), .doubleQuantized(let codes, _, _),
      .integer(let codes, _, _, _):
      codes.count
    }
  }

  /// How the scales are stored.
  public var format: ScaleFormat {
    switch self {
    case .float32: .float32
    case .float16: .float16
    case .bfloat16: .bfloat16
    case .e8m0: .e8m0
    case .e4m3: .e4m3
    case .doubleQuantized: .doubleQuantized
    case .integer(_, let bits, let isSigned, let parent):
      .integer(bits: bits, isSigned: isSigned, over: parent.format)
    }
  }

  /// Whether the arrays' lengths fit each other.
  var isConsistent: Bool {
    switch self {
    case .integer(let codes, let bits, _, let parent):
      (1...8).contains(bits) && parent.isConsistent
        && (codes.isEmpty || parent.count > 0 && codes.count % parent.count == 0)
    case .doubleQuantized(let codes, let largest, _):
      largest.count == (codes.count + Self.doubleBlockCount - 1) / Self.doubleBlockCount
    default: true
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
    case .e8m0(let codes): return codes.map(EightBitScale.e8m0)
    case .e4m3(let codes, let tensorScale):
      return codes.map { EightBitScale.e4m3Levels[Int($0)] * tensorScale }
    case .doubleQuantized(let codes, let largest, let mean):
      return codes.indices.map {
        DynamicMap.levels[Int(codes[$0])] * largest[$0 / Self.doubleBlockCount] + mean
      }
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
