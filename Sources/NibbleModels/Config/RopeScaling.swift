internal import Foundation

/// How rotary frequencies are stretched for contexts longer than the trained one.
public enum RopeScaling: Sendable, Equatable {
  case none
  /// Positions divided by `factor` (Chen et al. 2023, arXiv:2306.15595).
  case linear(factor: Float)
  /// A base that grows once a sequence is longer than `originalContext`: dynamic NTK scaling (Peng et al. 2023,
  /// arXiv:2309.00071, section 3.3).
  case dynamic(factor: Float, originalContext: Int)
  /// Slow frequencies divided, fast ones kept, a ramp between.
  case yarn(YarnScaling)
  /// Llama 3.1's: long wavelengths divided by `factor`, short ones kept, a smooth passage between.
  case llama3(factor: Float, lowFactor: Float, highFactor: Float, originalContext: Float)
  /// A divisor for each frequency, one set for short sequences and one for long ones.
  case longRope(LongRopeScaling)
  /// Divisors given one by one, as a GGUF file's `rope_freqs.weight` holds them.
  case divisors([Float])
}

/// YaRN (Peng et al. 2023, arXiv:2309.00071, section 3.2).
public struct YarnScaling: Sendable, Equatable {
  /// What slow frequencies are divided by.
  public var factor: Float
  /// Tokens that the model saw at once before it was stretched.
  public var originalContext: Int
  /// Turns over the original context above which a frequency is kept.
  public var fastTurnCount: Float = 32
  /// Turns over the original context below which a frequency is divided by the whole factor.
  public var slowTurnCount: Float = 1
  /// Whether the ramp begins and ends at whole pairs.
  public var isTruncated = true
  /// What the turned features are multiplied with.
  public var attentionFactor: Float

  /// 0.1 · ln(factor) + 1, the paper's factor.
  public static func usualAttentionFactor(_ factor: Float, _ strength: Float = 1) -> Float {
    factor <= 1 ? 1 : 0.1 * strength * log(factor) + 1
  }

  /// The stretched frequencies of a whole set, `[pairs]`.
  func frequencies(_ unscaled: [Float], base: Float) -> [Float] {
    let featureCount = Double(2 * unscaled.count)
    func pair(_ turnCount: Float) -> Double {
      featureCount * log(Double(originalContext) / (Double(turnCount) * 2 * .pi))
        / (2 * log(Double(base)))
    }
    var (first, last) = (pair(fastTurnCount), pair(slowTurnCount))
    if isTruncated { (first, last) = (first.rounded(.down), last.rounded(.up)) }
    (first, last) = (max(first, 0), min(last, featureCount - 1))
    if first == last { last += 0.001 }
    return unscaled.enumerated().map { index, frequency in
      let ramp = min(max(Float((Double(index) - first) / (last - first)), 0), 1)
      return frequency / factor * ramp + frequency * (1 - ramp)
    }
  }
}

/// LongRoPE (Ding et al. 2024, arXiv:2402.13753), as Phi-3 uses it.
public struct LongRopeScaling: Sendable, Equatable {
  /// Divisors up to the original context, `[pairs]`.
  public var shortFactors: [Float]
  /// Divisors beyond it, `[pairs]`.
  public var longFactors: [Float]
  /// Tokens that the model saw at once before it was stretched.
  public var originalContext: Int
  /// What the turned features are multiplied with.
  public var attentionFactor: Float

  /// √(1 + ln(factor) / ln(originalContext)), where `factor` is the new context over the original.
  public static func usualAttentionFactor(_ factor: Float, originalContext: Int) -> Float {
    factor <= 1 ? 1 : (1 + log(factor) / log(Float(originalContext))).squareRoot()
  }

  func factors(sequenceCount: Int) -> [Float] {
    sequenceCount > originalContext ? longFactors : shortFactors
  }
}
