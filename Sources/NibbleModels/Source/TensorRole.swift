/// What a tensor does in a transformer, independent of any file's naming.
public enum TensorRole: String, CaseIterable, Sendable {
  case tokenEmbedding, positionEmbedding, outputNorm, output
  case attentionNorm, query, key, value, queryKeyValue, queryNorm, keyNorm, attentionOutput
  case postAttentionNorm
  case feedForwardNorm, gate, up, gateUp, down, postFeedForwardNorm
  case router, expertGate, expertUp, expertDown
  /// A tensor of an architecture that Nibble does not know.
  case unknown

  /// Whether each expert of a block has one.
  public var isExpert: Bool {
    switch self {
    case .expertGate, .expertUp, .expertDown: true
    default: false
    }
  }

  /// The shape of the tensor, `[output features, input features]` for layers, one expert's for those of experts.
  func shape(_ config: ModelConfig) -> [Int] {
    let hidden = config.hiddenCount
    return switch self {
    case .tokenEmbedding, .output: [config.vocabularyCount, hidden]
    case .positionEmbedding: [config.contextCount, hidden]
    case .outputNorm, .attentionNorm, .feedForwardNorm, .postAttentionNorm, .postFeedForwardNorm:
      [hidden]
    case .query: [config.queryFeatureCount, hidden]
    case .key, .value: [config.keyFeatureCount, hidden]
    case .queryKeyValue: [config.queryFeatureCount + 2 * config.keyFeatureCount, hidden]
    case .queryNorm, .keyNorm: [config.headFeatureCount]
    case .attentionOutput: [hidden, config.queryFeatureCount]
    case .gate, .up: [config.feedForwardCount, hidden]
    case .gateUp: [2 * config.feedForwardCount, hidden]
    case .down: [hidden, config.feedForwardCount]
    case .router: [config.expertCount, hidden]
    case .expertGate, .expertUp: [config.expertFeedForwardCount, hidden]
    case .expertDown: [hidden, config.expertFeedForwardCount]
    case .unknown: []
    }
  }
}

/// One tensor of a model: its role, its block and expert where it has them, and whether it is the weight or the bias.
public struct TensorID: Hashable, Sendable {
  /// The two tensors that a layer may have.
  public enum Part: String, Sendable { case weight, bias }

  public var role: TensorRole
  /// The block's index from 0; nil outside the blocks.
  public var block: Int?
  /// The expert's index from 0; nil outside mixtures, and for all experts of a block together.
  public var expert: Int?
  public var part: Part
  /// The name in the file, for ``TensorRole/unknown``.
  public var name: String?

  public init(
    _ role: TensorRole, block: Int? = nil, expert: Int? = nil, part: Part = .weight,
    name: String? = nil
  ) {
    self.role = role
    self.block = block
    self.expert = expert
    self.part = part
    self.name = name
  }

  /// The tensor of all experts together.
  public var ofAllExperts: TensorID {
    var id = self
    id.expert = nil
    return id
  }
}

/// The two namings of tensors that Nibble translates between.
public enum TensorNaming: Sendable {
  /// `blk.0.attn_q.weight`
  case gguf
  /// `model.layers.0.self_attn.q_proj.weight`
  case huggingFace
}
