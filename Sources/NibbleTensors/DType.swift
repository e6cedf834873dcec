/// The element type of a tensor that is stored as plain numbers; raw values are the safetensors names.
public enum DType: String, CaseIterable, Codable, Sendable {
  case uint64 = "U64"
  case int64 = "I64"
  case float64 = "F64"
  case complex64 = "C64"
  case uint32 = "U32"
  case int32 = "I32"
  case float32 = "F32"
  case bfloat16 = "BF16"
  case float16 = "F16"
  case uint16 = "U16"
  case int16 = "I16"
  case float8E5M2FNUZ = "F8_E5M2FNUZ"
  case float8E4M3FNUZ = "F8_E4M3FNUZ"
  case float8E8M0 = "F8_E8M0"
  case float8E4M3 = "F8_E4M3"
  case float8E5M2 = "F8_E5M2"
  case int8 = "I8"
  case uint8 = "U8"
  case float6E3M2 = "F6_E3M2"
  case float6E2M3 = "F6_E2M3"
  case float4 = "F4"
  case bool = "BOOL"

  /// Bits that one element takes in a file.
  public var bitCount: Int {
    switch self {
    case .uint64, .int64, .float64, .complex64: 64
    case .uint32, .int32, .float32: 32
    case .bfloat16, .float16, .uint16, .int16: 16
    case .float6E3M2, .float6E2M3: 6
    case .float4: 4
    default: 8
    }
  }
}
