extension DType {
  /// How one element is written; nil for types whose values a `Float` does not hold exactly, and for booleans.
  public var numberFormat: NumberFormat? {
    switch self {
    case .float32: .float32
    case .bfloat16: .bfloat16
    case .float16: .float16
    case .float8E4M3: .float8E4M3
    case .float8E5M2: .float8E5M2
    case .float8E4M3FNUZ: .float8E4M3FNUZ
    case .float8E5M2FNUZ: .float8E5M2FNUZ
    case .float8E8M0: .e8m0
    case .float6E3M2: .float6E3M2
    case .float6E2M3: .float6E2M3
    case .float4: .float4E2M1
    case .int16: .int(16)
    case .uint16: .uint(16)
    case .int8: .int(8)
    case .uint8: .uint(8)
    case .uint64, .int64, .float64, .complex64, .uint32, .int32, .bool: nil
    }
  }

  /// The type whose elements are written in `format`; nil where files have none.
  public init?(_ format: NumberFormat) {
    guard let type = Self.allCases.first(where: { $0.numberFormat == format }) else { return nil }
    self = type
  }
}
