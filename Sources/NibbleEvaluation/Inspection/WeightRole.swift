internal import NibbleModels

/// What a tensor does in a model, as reports group it.
public enum WeightRole: String, CaseIterable, Sendable {
  case embedding
  case query, key, value
  case queryKeyValue = "query_key_value"
  case attentionOutput = "attention_output"
  case gate, up
  case gateUp = "gate_up"
  case down, router
  case norm, bias, head
  /// A tensor of an unknown architecture, or one that others determine.
  case other

  init(_ id: TensorID) {
    if id.part == .bias {
      self = .bias
      return
    }
    switch id.role {
    case .tokenEmbedding, .positionEmbedding: self = .embedding
    case .query: self = .query
    case .key: self = .key
    case .value: self = .value
    case .queryKeyValue: self = .queryKeyValue
    case .attentionOutput: self = .attentionOutput
    case .gate, .expertGate: self = .gate
    case .up, .expertUp: self = .up
    case .gateUp: self = .gateUp
    case .down, .expertDown: self = .down
    case .router: self = .router
    case .outputNorm, .attentionNorm, .feedForwardNorm, .postAttentionNorm,
      .postFeedForwardNorm, .queryNorm, .keyNorm:
      self = .norm
    case .output: self = .head
    case .unknown: self = .other
    }
  }

  /// The role in words: "attention q", "feed-forward up".
  public var title: String {
    switch self {
    case .embedding: "embedding"
    case .query: "attention q"
    case .key: "attention k"
    case .value: "attention v"
    case .queryKeyValue: "attention q k v"
    case .attentionOutput: "attention o"
    case .gate: "feed-forward gate"
    case .up: "feed-forward up"
    case .gateUp: "feed-forward gate and up"
    case .down: "feed-forward down"
    case .router: "router"
    case .norm: "norm"
    case .bias: "bias"
    case .head: "head"
    case .other: "other"
    }
  }
}

/// The block's index in a tensor's name, the first part that is a number: 7 in `blk.7.attn_q.weight` and in
/// `model.layers.7.mlp.up_proj.weight`.
func blockIndex(inName name: String) -> Int? {
  for part in name.split(separator: ".") {
    if part.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let index = Int(part) { return index }
  }
  return nil
}
