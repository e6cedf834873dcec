internal import Foundation
public import NibbleCheckpoints
internal import NibbleEvaluation
internal import NibbleModels
internal import NibbleTensors

/// A few tokens through a model and the one that it was made from, with the kernels that generate text.
public struct LogitCheck: Sendable, Equatable {
  /// Tokens that were run.
  public var tokenCount: Int
  /// Tokens of the second half, whose predictions were compared.
  public var scoredTokenCount: Int
  /// Mean of D(original ‖ model), in nats.
  public var divergence: Double
  /// The largest D, in nats.
  public var largestDivergence: Double
  /// The share of tokens where both find the same token likeliest.
  public var sameTopShare: Double
  /// The divergence that is not to be exceeded, in nats.
  public var limit: Double
  /// Whether all figures are numbers: a model whose logits hold NaN or infinity has none.
  public var isFinite: Bool

  /// What is wrong; nil when the check passes.
  public var failure: String? {
    guard isFinite else { return "logits are not finite" }
    guard divergence <= limit else {
      return "the mean divergence of \(divergence) nats is above \(limit)"
    }
    return nil
  }

  /// Tokens that are run unless the user wants others.
  public static let usualTokenCount = 64

  /// The divergence that is not to be exceeded unless the user says otherwise: half of what tells the original's certainty from
  /// knowing nothing, ln of the vocabulary's size. Two bits a weight, rounded to the nearest, may come near; a model whose
  /// tensors are mixed up is beyond.
  static func usualLimit(vocabularyCount: Int) -> Double {
    0.5 * log(Double(max(vocabularyCount, 2)))
  }

  /// Runs the text that comes with Nibble through both models.
  ///
  /// - Parameters:
  ///   - model: the model to judge.
  ///   - reference: the model that it was made from.
  ///   - tokenCount: tokens to run, at least 4; fewer where a context or the text is shorter.
  ///   - maximumDivergence: in nats; nil takes ``usualLimit(vocabularyCount:)``.
  ///   - pool: the threads.
  /// - Throws: `ModelError` or `CheckpointError` for models that cannot be run, and tokenizers that differ.
  init(
    _ model: ModelSource, reference: ModelSource, tokenCount: Int, maximumDivergence: Double?,
    pool: WorkerPool
  ) throws {
    let judged = try LanguageModel(model)
    let original = try LanguageModel(reference)
    guard judged.config.vocabularyCount == original.config.vocabularyCount else {
      throw ModelError(
        .request,
        "the model has \(judged.config.vocabularyCount) tokens, the original \(original.config.vocabularyCount)"
      )
    }
    let text = Self.text
    var options = Evaluator.Options()
    options.contextCount =
      [
        tokenCount, judged.config.contextCount, original.config.contextCount,
        judged.tokenizer.encode(text).count,
      ].min() ?? tokenCount
    options.windowLimit = 1
    options.cacheType = .float32
    let result = try Evaluator(model: judged, reference: original, pool: pool)
      .evaluate(text, options: options)
    let comparison = result.comparison
    self.tokenCount = options.contextCount
    scoredTokenCount = result.tokenCount
    divergence = comparison?.divergence ?? 0
    largestDivergence = comparison?.largestDivergence ?? 0
    sameTopShare = comparison?.sameTopShare ?? 0
    limit =
      maximumDivergence ?? Self.usualLimit(vocabularyCount: original.config.vocabularyCount)
    isFinite =
      result.perplexity.isFinite && divergence.isFinite && largestDivergence.isFinite
      && comparison?.referencePerplexity.isFinite ?? false
  }

  /// Of several kinds, and not what models are calibrated with unless many tokens are asked for.
  private static var text: String {
    let own = """
      The old lighthouse keeper climbed the stairs every evening, counted the ships on the horizon, and wrote their number into \
      a book: 7 on Monday, 12 on Tuesday, none in the fog. "Light costs nothing," he used to say, "but darkness does." \
      for (int i = 0; i < 10; i++) { total += price[i] * 2; }
      Water boils at 100 degrees, and 3 + 4 = 7.

      """
    guard case .text(let more)? = CalibrationText.builtIn.documents.first else { return own }
    return own + "\n" + more
  }

  /// The check as a JSON object.
  public var json: JSONValue {
    [
      "tokens": .integer(Int64(tokenCount)), "scored_tokens": .integer(Int64(scoredTokenCount)),
      "kld": .number(divergence), "kld_maximum": .number(largestDivergence),
      "same_top": .number(sameTopShare), "kld_limit": .number(limit), "finite": .bool(isFinite),
    ]
  }
}
