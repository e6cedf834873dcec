public import NibbleQuantization
internal import NibbleTensors

extension StoredType {
  /// The type of a GGUF tensor; plain numbers become `.plain`.
  public init(_ type: GGMLType) {
    switch type {
    case .f32: self = .plain(.float32)
    case .f16: self = .plain(.float16)
    case .bf16: self = .plain(.bfloat16)
    case .f64: self = .plain(.float64)
    case .i8: self = .plain(.int8)
    case .i16: self = .plain(.int16)
    case .i32: self = .plain(.int32)
    case .i64: self = .plain(.int64)
    default: self = .blocks(type)
    }
  }

  /// The type's place in GGUF files; nil where GGUF has none, as for unsigned integers.
  public var ggmlType: GGMLType? {
    switch self {
    case .blocks(let type): type
    case .plain(.float32): .f32
    case .plain(.float16): .f16
    case .plain(.bfloat16): .bf16
    case .plain(.float64): .f64
    case .plain(.int8): .i8
    case .plain(.int16): .i16
    case .plain(.int32): .i32
    case .plain(.int64): .i64
    case .plain, .scheme: nil
    }
  }
}
