internal import Foundation

/// What an evaluation found. Perplexity and KL divergence are defined as llama-perplexity defines them.
public struct Evaluation: Sendable, Equatable {
  /// exp of the mean negative log-likelihood of the scored tokens.
  public var perplexity: Double
  /// The standard error of ``perplexity``, from the spread of the tokens' likelihoods.
  public var perplexityError: Double
  /// Tokens scored.
  public var tokenCount: Int
  /// What the comparison with a reference found, where there was one.
  public var comparison: Comparison?
  /// Wall time, in seconds.
  public var seconds: Double = 0

  /// A model against a reference on the same tokens.
  public struct Comparison: Sendable, Equatable {
    /// The reference's own perplexity.
    public var referencePerplexity: Double
    /// Mean of D(reference ‖ model) over the scored tokens, in nats.
    public var divergence: Double
    /// The standard error of ``divergence``.
    public var divergenceError: Double
    /// The median of D, in nats.
    public var medianDivergence: Double
    /// The 99th percentile of D, in nats.
    public var divergence99: Double
    /// The largest D, in nats.
    public var largestDivergence: Double
    /// The share of tokens where both find the same token likeliest.
    public var sameTopShare: Double
  }

  init(_ scores: [RowScore], hasReference: Bool) {
    let losses = Moments(scores.map(\.negativeLogLikelihood))
    perplexity = exp(losses.mean)
    perplexityError = perplexity * losses.standardError
    tokenCount = scores.count
    guard hasReference else { return }
    let divergences = scores.map(\.divergence).sorted()
    let moments = Moments(divergences)
    func percentile(_ share: Double) -> Double {
      divergences.isEmpty ? 0 : divergences[Int(share * Double(divergences.count - 1))]
    }
    comparison = Comparison(
      referencePerplexity: exp(Moments(scores.map(\.referenceNegativeLogLikelihood)).mean),
      divergence: moments.mean, divergenceError: moments.standardError,
      medianDivergence: percentile(0.5), divergence99: percentile(0.99),
      largestDivergence: divergences.last ?? 0,
      sameTopShare: Double(scores.count { $0.hasSameTop }) / Double(max(1, scores.count)))
  }
}

/// Mean and standard error of a sample.
private struct Moments {
  var mean = 0.0
  var standardError = 0.0

  init(_ values: [Double]) {
    guard !values.isEmpty else { return }
    let count = Double(values.count)
    mean = values.reduce(0, +) / count
    guard count > 1 else { return }
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
    standardError = (variance / count).squareRoot()
  }
}
