/// How a role is spelled in each naming; `#` stands for the block's index and `*` for the expert's. A pattern of an
/// expert's role without `*` names a tensor that holds all experts, one after another.
struct RoleName: Sendable {
  /// How Hugging Face's tensor differs from the one in GGUF files, which is the one that the forward pass takes.
  enum Difference: Sendable {
    case none
    /// The rows of each head stand in another order (rotary pairs).
    case rotaryRows
    /// A plain matrix is stored as `[input, output]`.
    case transposed
    /// Every value is smaller by one: a norm multiplies with 1 + w.
    case lessOne
  }

  /// The blocks that have the tensor.
  enum Presence: Sendable { case all, withExperts, withoutExperts }

  let role: TensorRole
  let gguf: String
  let huggingFace: String
  /// Other spellings met in files.
  let aliases: [Alias]
  let difference: Difference
  let presence: Presence
  /// Whether the layer must have a bias; others may.
  let needsBias: Bool

  /// Another spelling, perhaps of several roles together, whose rows follow one another for each expert.
  struct Alias: Sendable {
    let pattern: String
    let roles: [TensorRole]
    /// Whether the name ends with the pattern, without `.weight`.
    let isWhole: Bool

    init(_ pattern: String, _ roles: [TensorRole], isWhole: Bool = false) {
      self.pattern = pattern
      self.roles = roles
      self.isWhole = isWhole
    }
  }

  init(
    _ role: TensorRole, _ gguf: String, _ huggingFace: String, _ difference: Difference = .none,
    in presence: Presence = .all, needsBias: Bool = false, aliases: [Alias] = []
  ) {
    self.role = role
    self.gguf = gguf
    self.huggingFace = huggingFace
    self.difference = difference
    self.presence = presence
    self.needsBias = needsBias
    self.aliases = aliases
  }

  /// Whether a block that mixes experts, or one that does not, has the tensor.
  func isPresent(_ mixesExperts: Bool) -> Bool {
    presence == .all || (presence == .withExperts) == mixesExperts
  }

  func pattern(_ naming: TensorNaming) -> String { naming == .gguf ? gguf : huggingFace }
}

extension [RoleName] {
  /// What stands around the blocks, and the norms of a block that has two.
  static let stem: [RoleName] = [
    RoleName(.tokenEmbedding, "token_embd", "model.embed_tokens"),
    RoleName(.outputNorm, "output_norm", "model.norm"),
    RoleName(.output, "output", "lm_head"),
    RoleName(.attentionNorm, "blk.#.attn_norm", "model.layers.#.input_layernorm"),
    RoleName(.feedForwardNorm, "blk.#.ffn_norm", "model.layers.#.post_attention_layernorm"),
  ]

  /// Attention with a matrix each for queries, keys and values; `rows` tells how the rows of queries and keys differ
  /// between the namings, `needsBias` whether there are biases on all three.
  static func attention(_ rows: RoleName.Difference = .none, needsBias: Bool = false) -> [RoleName]
  {
    let layer = "model.layers.#.self_attn"
    return [
      RoleName(.query, "blk.#.attn_q", "\(layer).q_proj", rows, needsBias: needsBias),
      RoleName(.key, "blk.#.attn_k", "\(layer).k_proj", rows, needsBias: needsBias),
      RoleName(.value, "blk.#.attn_v", "\(layer).v_proj", needsBias: needsBias),
      RoleName(.attentionOutput, "blk.#.attn_output", "\(layer).o_proj"),
    ]
  }

  /// The norms of each head's query and key.
  static func headNorms(_ difference: RoleName.Difference = .none) -> [RoleName] {
    let layer = "model.layers.#.self_attn"
    return [
      RoleName(.queryNorm, "blk.#.attn_q_norm", "\(layer).q_norm", difference),
      RoleName(.keyNorm, "blk.#.attn_k_norm", "\(layer).k_norm", difference),
    ]
  }

  /// A gated feed-forward network.
  static let gatedFeedForward: [RoleName] = [
    RoleName(.gate, "blk.#.ffn_gate", "model.layers.#.mlp.gate_proj", in: .withoutExperts),
    RoleName(.up, "blk.#.ffn_up", "model.layers.#.mlp.up_proj", in: .withoutExperts),
    RoleName(.down, "blk.#.ffn_down", "model.layers.#.mlp.down_proj", in: .withoutExperts),
  ]

  /// A router and its experts, which GGUF files stack, and Hugging Face folders hold one by one or fused; `module` is the
  /// mixture's name within a layer, `gate`, `up` and `down` are those within an expert.
  static func experts(
    in module: String, gate: String, up: String, down: String
  ) -> [RoleName] {
    let layer = "model.layers.#.\(module)"
    let fused = "model.layers.#.mlp.experts"
    return [
      RoleName(
        .router, "blk.#.ffn_gate_inp", "\(layer).gate", in: .withExperts,
        aliases: [RoleName.Alias("model.layers.#.mlp.gate", [.router])]),
      RoleName(
        .expertGate, "blk.#.ffn_gate_exps", "\(layer).experts.*.\(gate)", in: .withExperts,
        aliases: [
          RoleName.Alias("blk.#.ffn_gate.*", [.expertGate]),
          RoleName.Alias("\(fused).gate_up_proj", [.expertGate, .expertUp], isWhole: true),
        ]),
      RoleName(
        .expertUp, "blk.#.ffn_up_exps", "\(layer).experts.*.\(up)", in: .withExperts,
        aliases: [RoleName.Alias("blk.#.ffn_up.*", [.expertUp])]),
      RoleName(
        .expertDown, "blk.#.ffn_down_exps", "\(layer).experts.*.\(down)", in: .withExperts,
        aliases: [
          RoleName.Alias("blk.#.ffn_down.*", [.expertDown]),
          RoleName.Alias("\(fused).down_proj", [.expertDown], isWhole: true),
        ]),
    ]
  }
}
