/// A fixed table of levels that are not evenly spaced.
public enum Codebook: String, CaseIterable, Codable, Sendable {
  /// The 16 integer levels of GGUF's IQ4_NL and IQ4_XS.
  case iq4nl
  /// The 16 quantiles of the normal distribution of QLoRA (Dettmers et al. 2023, arXiv:2305.14314, appendix E).
  case nf4
  /// The 4-bit floats of bitsandbytes: a sign, and magnitudes 0, 1/192, 1/6, 1/4, 1/3, 1/2, 2/3, 1.
  case fp4
  /// The 4-bit floats of the OCP Microscaling formats (v1.0, section 5.3.3): sign, two exponent bits, one fraction bit.
  case e2m1
  /// The 254 finite 8-bit floats E4M3 (OCP 8-bit floating point specification v1.0, section 5): sign, four exponent bits,
  /// three fraction bits, up to 448. The two bytes that mean NaN are no levels.
  case e4m3

  /// The levels, ascending. Floats have two zeros, of which the negative one comes first.
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
    case .fp4:
      Self.withSigns([0, 0.005208333333, 0.16666667, 0.25, 0.33333333, 0.5, 0.66666667, 1])
    case .e2m1: Self.withSigns([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    case .e4m3: Self.e4m3Levels
    }
  }

  /// The largest magnitude of a level, to which the extreme value of a group is scaled.
  public var largestMagnitude: Float { levels.reduce(0) { max($0, abs($1)) } }

  private static let e4m3Levels = withSigns((0..<127).map { EightBitScale.e4m3Levels[$0] })

  private static func withSigns(_ magnitudes: [Float]) -> [Float] {
    magnitudes.reversed().map { -$0 } + magnitudes
  }
}
