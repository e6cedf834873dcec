/// How scales (or offsets) are stored.
public indirect enum ScaleFormat: Hashable, Codable, Sendable {
  case float32
  case float16
  case bfloat16
  /// An integer times a parent scale that several neighbours share.
  case integer(bits: Int, isSigned: Bool, over: ScaleFormat)
}
