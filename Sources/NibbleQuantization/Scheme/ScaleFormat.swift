/// How scales (or offsets) are stored.
public indirect enum ScaleFormat: Hashable, Codable, Sendable {
  case float32
  case float16
  case bfloat16
  /// A power of two: 8 bits of exponent (OCP Microscaling formats v1.0, section 5.4.1).
  case e8m0
  /// An 8-bit float E4M3, times one float32 scale of the whole tensor.
  case e4m3
  /// bitsandbytes' double quantization: 8-bit codes of a dynamic map, relative to the largest of each 256 scales, after
  /// their mean was taken off (Dettmers et al. 2023, arXiv:2305.14314, section 3).
  case doubleQuantized
  /// An integer times a parent scale that several neighbours share.
  case integer(bits: Int, isSigned: Bool, over: ScaleFormat)

  /// Whether a scale depends on nothing outside its row.
  public var isRowLocal: Bool {
    switch self {
    case .float32, .float16, .bfloat16, .e8m0: true
    case .e4m3, .doubleQuantized: false
    case .integer(_, _, let parent): parent.isRowLocal
    }
  }
}
