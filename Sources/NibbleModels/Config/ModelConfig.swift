/// The numbers that define a decoder-only transformer, whichever file they came from.
public struct ModelConfig: Sendable, Equatable {
  /// The GGUF name of the architecture: "llama".
  public var architecture: String
  /// Hugging Face's `model_type`: "llama", "mistral".
  public var modelType: String
  /// Transformer blocks.
  public var blockCount = 0
  /// Features of the residual stream.
  public var hiddenCount = 0
  /// Features between the feed-forward network's two halves.
  public var feedForwardCount = 0
  /// Query heads.
  public var headCount = 0
  /// Key and value heads; each serves `headCount / keyValueHeadCount` query heads.
  public var keyValueHeadCount = 0
  /// Features of one head.
  public var headFeatureCount = 0
  /// Rows of the embedding table.
  public var vocabularyCount = 0
  /// Tokens that the model was trained to see at once.
  public var contextCount = 0
  /// The ε of the normalization layers.
  public var normEpsilon: Float = 0
  /// The rotary position embedding; nil where positions are learned.
  public var rope: RopeConfig?
  /// The rotary position embedding of the blocks that look back over a window only; nil = ``rope``.
  public var windowRope: RopeConfig?
  /// Positions that attention looks back over, itself included; nil = all.
  public var slidingWindow: Int?
  /// For each block, whether ``slidingWindow`` limits it; empty = all are limited.
  public var windowedBlocks: [Bool] = []
  /// What queries times keys are divided by the root of; nil = ``headFeatureCount``.
  public var queryScale: Float?
  /// c of c · tanh(x / c), which attention's scores go through; 0 = they do not.
  public var attentionSoftcap: Float = 0
  /// c of c · tanh(x / c), which the logits go through; 0 = they do not.
  public var outputSoftcap: Float = 0
  /// Whether the output head is the embedding table.
  public var hasTiedEmbeddings = false
  /// Whether the attention projections carry biases.
  public var hasAttentionBias = false
  /// Whether the feed-forward projections carry biases.
  public var hasFeedForwardBias = false
  /// Experts of a mixture; 0 = a dense model.
  public var expertCount = 0
  /// Experts that each token goes through.
  public var usedExpertCount = 0
  /// Features between an expert's two halves.
  public var expertFeedForwardCount = 0
  /// Whether the weights of a token's experts are divided by their sum.
  public var normalizesExpertWeights = true
  /// Blocks of a mixture of experts that have one feed-forward network all the same.
  public var denseBlocks: Set<Int> = []

  init(architecture: String, modelType: String) {
    self.architecture = architecture
    self.modelType = modelType
  }

  /// Features of all query heads together.
  public var queryFeatureCount: Int { headCount * headFeatureCount }
  /// Features of all key heads together.
  public var keyFeatureCount: Int { keyValueHeadCount * headFeatureCount }

  /// Positions that block `index` looks back over, itself included; nil = all.
  public func window(ofBlock index: Int) -> Int? {
    windowedBlocks.isEmpty || windowedBlocks[index] ? slidingWindow : nil
  }

  /// Whether block `index` mixes experts.
  public func hasExperts(inBlock index: Int) -> Bool {
    expertCount > 0 && !denseBlocks.contains(index)
  }

  /// The factor of queries times keys.
  public var attentionScale: Float {
    1 / (queryScale ?? Float(headFeatureCount)).squareRoot()
  }
}

extension ModelConfig {
  /// Checks what the forward pass relies on, so that a lying file cannot make it trap.
  func validated() throws(ModelError) -> ModelConfig {
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
    for rope in [rope, windowRope].compactMap(\.self) {
      try rope.validate(headFeatureCount: headFeatureCount)
    }
    try require(
      normEpsilon.isFinite && normEpsilon >= 0, "norm epsilon \(normEpsilon) is not positive")
    if let slidingWindow {
      try require(slidingWindow > 0, "sliding window \(slidingWindow) is not positive")
    }
    try require(
      windowedBlocks.isEmpty || windowedBlocks.count == blockCount,
      "\(windowedBlocks.count) kinds of attention do not fit \(blockCount) blocks")
    for (name, value) in [
      ("query scale", queryScale ?? 1), ("attention softcap", attentionSoftcap + 1),
      ("output softcap", outputSoftcap + 1),
    ] {
      try require(value.isFinite && value > 0, "\(name) is not positive")
    }
    if expertCount > 0 { try requireExperts() }
    return self
  }

  private func requireExperts() throws(ModelError) {
    try require(expertCount <= 1 << 16, "\(expertCount) experts are too many")
    try require(
      usedExpertCount > 0 && usedExpertCount <= expertCount,
      "\(usedExpertCount) of \(expertCount) experts cannot be used")
    try require(
      expertFeedForwardCount > 0 && expertFeedForwardCount <= 1 << 22,
      "expert feed-forward size \(expertFeedForwardCount) is not between 1 and \(1 << 22)")
  }
}

/// Throws ``ModelError/Code/malformed`` with `message` unless `condition` holds.
func require(_ condition: Bool, _ message: @autoclosure () -> String) throws(ModelError) {
  if !condition { throw ModelError(.malformed, message()) }
}
