internal import Foundation

/// The rotary position embedding (Su et al. 2021, arXiv:2104.09864) of a model.
public struct RopeConfig: Sendable, Equatable {
  /// Which two features of a head turn together.
  public enum Pairing: Sendable, Equatable {
    /// Features `2i` and `2i + 1`: GGUF files of the llama architecture.
    case interleaved
    /// Features `i` and `i + featureCount / 2`: Hugging Face checkpoints.
    case halves
  }

  /// θ of the frequencies θ^(-2i/d).
  public var base: Float
  /// Features of a head that turn; the rest pass.
  public var featureCount: Int
  public var pairing: Pairing
  public var scaling: RopeScaling

  public init(base: Float, featureCount: Int, pairing: Pairing, scaling: RopeScaling = .none) {
    self.base = base
    self.featureCount = featureCount
    self.pairing = pairing
    self.scaling = scaling
  }

  /// Radians per position for each pair, `[featureCount / 2]`, in a text of `sequenceCount` tokens: dynamic scaling and
  /// LongRoPE depend on its length.
  public func frequencies(sequenceCount: Int) -> [Float] {
    switch scaling {
    case .none: return unscaled(base)
    case .linear(let factor): return unscaled(base).map { $0 / factor }
    case .dynamic(let factor, let originalContext):
      let count = Float(max(sequenceCount, originalContext))
      let stretch = factor * count / Float(originalContext) - (factor - 1)
      let exponent = Float(featureCount) / Float(featureCount - 2)
      return unscaled(base * pow(stretch, exponent))
    case .yarn(let yarn): return yarn.frequencies(unscaled(base), base: base)
    case .longRope(let longRope):
      return zip(unscaled(base), longRope.factors(sequenceCount: sequenceCount)).map { $0 / $1 }
    case .llama3, .divisors: return zip(unscaled(base), divisors ?? []).map { $0 / $1 }
    }
  }

  /// Two sequence lengths have the same ``frequencies(sequenceCount:)`` where this is the same.
  func variant(sequenceCount: Int) -> Int {
    switch scaling {
    case .dynamic(_, let originalContext): max(sequenceCount, originalContext)
    case .longRope(let longRope): sequenceCount > longRope.originalContext ? 1 : 0
    case .none, .linear, .yarn, .llama3, .divisors: 0
    }
  }

  /// The sequence length from which on ``frequencies(sequenceCount:)`` are others; nil when they never are.
  public var lengthLimit: Int? {
    switch scaling {
    case .dynamic(_, let originalContext): originalContext
    case .longRope(let longRope): longRope.originalContext
    case .none, .linear, .yarn, .llama3, .divisors: nil
    }
  }

  private func unscaled(_ base: Float) -> [Float] {
    (0..<featureCount / 2).map { 1 / pow(base, Float(2 * $0) / Float(featureCount)) }
  }

  /// What the turned features are multiplied with.
  public var attentionFactor: Float {
    switch scaling {
    case .yarn(let yarn): yarn.attentionFactor
    case .longRope(let longRope): longRope.attentionFactor
    case .none, .linear, .dynamic, .llama3, .divisors: 1
    }
  }

  /// What each frequency is divided by, `[featureCount / 2]`: the contents of `rope_freqs.weight`.
  /// Nil when a file says it otherwise.
  public var divisors: [Float]? {
    switch scaling {
    case .none, .linear, .dynamic, .yarn, .longRope: return nil
    case .divisors(let values): return values
    case .llama3(let factor, let lowFactor, let highFactor, let originalContext):
      return unscaled(base).map { frequency in
        let wavelength = 2 * Float.pi / frequency
        if wavelength < originalContext / highFactor { return 1 }
        if wavelength > originalContext / lowFactor { return factor }
        let smooth = (originalContext / wavelength - lowFactor) / (highFactor - lowFactor)
        return 1 / ((1 - smooth) / factor + smooth)
      }
    }
  }

  /// Checks what the forward pass relies on.
  func validate(headFeatureCount: Int) throws(ModelError) {
    try require(
      featureCount % 2 == 0 && featureCount > 0 && featureCount <= headFeatureCount,
      "rotary size \(featureCount) must be even and at most the head size \(headFeatureCount)")
    try require(base.isFinite && base > 0, "rotary base \(base) is not positive")
    let pairCount = featureCount / 2
    switch scaling {
    case .none, .linear, .llama3, .divisors: break
    case .dynamic:
      try require(featureCount > 2, "dynamic rope scaling needs more than one pair of features")
    case .yarn: try require(base > 1, "rotary base \(base) is too small for YaRN")
    case .longRope(let longRope):
      for factors in [longRope.shortFactors, longRope.longFactors] {
        try require(
          factors.count == pairCount,
          "a longrope factor list has \(factors.count) values, not \(pairCount)")
      }
    }
  }
}
