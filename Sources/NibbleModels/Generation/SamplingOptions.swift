/// How the next token is drawn.
///
/// The steps are taken in the order of llama.cpp: repetition penalty, top-k, top-p, min-p, temperature. Top-p and min-p
/// therefore judge the probabilities before the temperature changes them.
public struct SamplingOptions: Sendable, Equatable {
  /// Logits are divided by this; 0 = always the likeliest token.
  public var temperature: Float = 0
  /// Keep this many of the likeliest tokens; 0 = all.
  public var topK = 40
  /// Keep the likeliest tokens that together reach this probability (Holtzman et al. 2019, arXiv:1904.09751); 1 = all.
  public var topP: Float = 0.95
  /// Keep tokens at least this likely relative to the likeliest (Nguyen et al. 2024, arXiv:2407.01082); 0 = all.
  public var minP: Float = 0.05
  /// Logits of recent tokens are divided (positive) or multiplied (negative) by this (Keskar et al. 2019,
  /// arXiv:1909.05858); 1 = none.
  public var repetitionPenalty: Float = 1
  /// How many tokens back the penalty looks.
  public var repetitionWindow = 64
  /// The same seed gives the same text.
  public var seed: UInt64 = 0

  public init() {}

  /// Checks that the numbers make sense.
  ///
  /// - Throws: ``ModelError/Code/request`` naming the option.
  public func validated() throws(ModelError) -> SamplingOptions {
    func require(_ condition: Bool, _ message: String) throws(ModelError) {
      if !condition { throw ModelError(.request, message) }
    }
    try require(temperature >= 0 && temperature.isFinite, "the temperature must be 0 or more")
    try require(topK >= 0, "top-k must be 0 or more")
    try require(topP > 0 && topP <= 1, "top-p must be above 0 and at most 1")
    try require(minP >= 0 && minP < 1, "min-p must be at least 0 and below 1")
    try require(
      repetitionPenalty > 0 && repetitionPenalty.isFinite,
      "the repetition penalty must be above 0")
    try require(repetitionWindow >= 0, "the repetition window must be 0 or more")
    return self
  }
}
