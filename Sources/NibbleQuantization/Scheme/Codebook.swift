/// A fixed table of levels that are not evenly spaced.
public enum Codebook: String, CaseIterable, Codable, Sendable {
  /// The 16 integer levels of GGUF's IQ4_NL and IQ4_XS.
  case iq4nl
  /// The 16 quantiles of the normal distribution of QLoRA (Dettmers et al. 2023, arXiv:2305.14314, appendix E).
  case nf4

  /// The levels, ascending.
  public var levels: [Float] {
    switch self {
    case .iq4nl:
      [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
    case .nf4:
      [
        -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
        -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
        0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
        0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
      ]
    }
  }
}
