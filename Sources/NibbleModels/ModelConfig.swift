/// The numbers that define a decoder-only transformer, whichever file they came from.
public struct ModelConfig: Sendable, Equatable {
  /// The GGUF name of the architecture: "llama".
  public var architecture: String
  /// Hugging Face's `model_type`: "llama", "mistral".
  public var modelType: String
  /// Transformer blocks.
  public var blockCount: Int
  /// Features of the residual stream.
  public var hiddenCount: Int
  /// Features between the feed-forward network's two halves.
  public var feedForwardCount: Int
  /// Query heads.
  public var headCount: Int
  /// Key and value heads; each serves `headCount / keyValueHeadCount` query heads.
  public var keyValueHeadCount: Int
  /// Features of one head.
  public var headFeatureCount: Int
  /// Rows of the embedding table.
  public var vocabularyCount: Int
  /// Tokens that the model was trained to see at once.
  public var contextCount: Int
  /// The ε of the normalization layers.
  public var normEpsilon: Float
  /// The rotary position embedding.
  public var rope: RopeConfig
  /// Positions that attention looks back over, itself included; nil = all.
  public var slidingWindow: Int?
  /// Whether the output head is the embedding table.
  public var hasTiedEmbeddings: Bool
  /// Whether the attention projections carry biases.
  public var hasAttentionBias = false
  /// Whether the feed-forward projections carry biases.
  public var hasFeedForwardBias = false
  /// Experts of a mixture; 0 = a dense model.
  public var expertCount = 0

  /// Features of all query heads together.
  public var queryFeatureCount: Int { headCount * headFeatureCount }
  /// Features of all key heads together.
  public var keyFeatureCount: Int { keyValueHeadCount * headFeatureCount }
}

extension ModelConfig {
  /// Checks what the forward pass relies on, so that a lying file cannot make it trap.
  func validated() throws(ModelError) -> ModelConfig {
    func require(_ condition: Bool, _ message: String) throws(ModelError) {
      if !condition { throw ModelError(.malformed, message) }
    }
    let sizes = [
      ("block count", blockCount, 10_000), ("hidden size", hiddenCount, 1 << 20),
      ("feed-forward size", feedForwardCount, 1 << 22), ("head count", headCount, 1 << 16),
      ("key-value head count", keyValueHeadCount, 1 << 16),
      ("head size", headFeatureCount, 1 << 16), ("vocabulary size", vocabularyCount, 1 << 26),
      ("context length", contextCount, 1 << 30),
    ]
    for (name, value, limit) in sizes {
      try require(value > 0 && value <= limit, "\(name) \(value) is not between 1 and \(limit)")
    }
    try require(
      headCount % keyValueHeadCount == 0,
      "\(headCount) heads cannot share \(keyValueHeadCount) key-value heads evenly")
    try require(
      rope.featureCount % 2 == 0 && rope.featureCount > 0 && rope.featureCount <= headFeatureCount,
      "rotary size \(rope.featureCount) must be even and at most the head size \(headFeatureCount)")
    try require(rope.base.isFinite && rope.base > 0, "rotary base \(rope.base) is not positive")
    try require(
      normEpsilon.isFinite && normEpsilon >= 0, "norm epsilon \(normEpsilon) is not positive")
    if let slidingWindow {
      try require(slidingWindow > 0, "sliding window \(slidingWindow) is not positive")
    }
    return self
  }
}
