internal import NibbleModels

/// What a tensor does in a model, as reports group it.
public enum WeightRole: String, CaseIterable, Sendable {
  case embedding
  case query, key, value
  case attentionOutput = "attention_output"
  case gate, up, down
  case norm, bias, head
  /// A tensor of an unknown architecture, or one that others determine.
  case other

  init(_ id: TensorID) {
    if id.part == .bias {
      self = .bias
      return
    }
    switch id.role {
    case .tokenEmbedding: self = .embedding
    case .query: self = .query
    case .key: self = .key
    case .value: self = .value
    case .attentionOutput: self = .attentionOutput
    case .gate: self = .gate
    case .up: self = .up
    case .down: self = .down
    case .outputNorm, .attentionNorm, .feedForwardNorm: self = .norm
    case .output: self = .head
    }
  }

  /// The role in words: "attention q", "feed-forward up".
  public var title: String {
    switch self {
    case .embedding: "embedding"
    case .query: "attention q"
    case .key: "attention k"
    case .value: "attention v"
    case .attentionOutput: "attention o"
    case .gate: "feed-forward gate"
    case .up: "feed-forward up"
    case .down: "feed-forward down"
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
