/// The number format of the keys and values of a ``KeyValueCache``.
public enum CacheType: String, CaseIterable, Sendable {
  /// Half precision: 2 bytes a number, rounded to 11 significant bits.
  case float16 = "f16"
  /// Single precision: 4 bytes a number, nothing rounded.
  case float32 = "f32"

  /// Bytes of one number.
  public var byteCount: Int {
    switch self {
    case .float16: 2
    case .float32: 4
    }
  }
}
