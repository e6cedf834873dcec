internal import CNibbleKernels

/// The number format of the keys and values of a ``KeyValueCache``.
public enum CacheType: String, CaseIterable, Sendable {
  /// Half precision: 2 bytes a number, rounded to 11 significant bits.
  case float16 = "f16"
  /// Single precision: 4 bytes a number, nothing rounded.
  case float32 = "f32"
  /// 2 bytes a number, rounded to 8 significant bits, with the range of single precision.
  case bfloat16 = "bf16"
  /// Codes of 8 bits; each 32 features of a head, or what is left of them, share a scale in half precision.
  case blocks8 = "q8_0"

  /// Bytes of one head's key or value at one position.
  public func rowByteCount(featureCount: Int) -> Int {
    nk_attention_row_bytes(element, featureCount)
  }

  var element: nk_attention_element {
    switch self {
    case .float16: NK_ATTENTION_HALF
    case .float32: NK_ATTENTION_FLOAT
    case .bfloat16: NK_ATTENTION_BFLOAT
    case .blocks8: NK_ATTENTION_BLOCKS
    }
  }
}
