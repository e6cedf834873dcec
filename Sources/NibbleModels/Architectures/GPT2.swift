/// GPT-2 (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"): layer norms with biases, learned
/// positions, a plain feed-forward network, and the embeddings as output matrix.
struct GPT2: Architecture {
  static let ggufName = "gpt2"
  static let classNames = ["GPT2LMHeadModel", "GPT2Model"]
  static let modelTypes = ["gpt2"]
  static let activation = Activation.geluTanh
  static let activationKey = "activation_function"
  static let rotaryPairing: RopeConfig.Pairing? = nil
  static let tiesEmbeddings = true
  static let fields = [
    ConfigField(\.blockCount, "n_layer", "block_count"),
    ConfigField(\.hiddenCount, "n_embd", "embedding_length"),
    ConfigField(\.feedForwardCount, "n_inner", "feed_forward_length") { 4 * $0.hiddenCount },
    ConfigField(\.headCount, "n_head", "attention.head_count"),
    ConfigField(\.keyValueHeadCount, nil, "attention.head_count_kv") { $0.headCount },
    ConfigField(\.headFeatureCount, nil) { $0.hiddenCount / $0.headCount },
    ConfigField(\.vocabularyCount, "vocab_size") { $0.vocabularyCount },
    ConfigField(\.contextCount, "n_positions", "context_length") { _ in 1024 },
    ConfigField(\.normEpsilon, "layer_norm_epsilon", "attention.layer_norm_epsilon", or: 1e-5),
  ]
  static let names = [
    RoleName(.tokenEmbedding, "token_embd", "transformer.wte"),
    RoleName(.positionEmbedding, "position_embd", "transformer.wpe"),
    RoleName(.outputNorm, "output_norm", "transformer.ln_f", needsBias: true),
    RoleName(.output, "output", "lm_head"),
    RoleName(.attentionNorm, "blk.#.attn_norm", "transformer.h.#.ln_1", needsBias: true),
    RoleName(
      .queryKeyValue, "blk.#.attn_qkv", "transformer.h.#.attn.c_attn", .transposed,
      needsBias: true),
    RoleName(
      .attentionOutput, "blk.#.attn_output", "transformer.h.#.attn.c_proj", .transposed,
      needsBias: true),
    RoleName(.feedForwardNorm, "blk.#.ffn_norm", "transformer.h.#.ln_2", needsBias: true),
    RoleName(.up, "blk.#.ffn_up", "transformer.h.#.mlp.c_fc", .transposed, needsBias: true),
    RoleName(.down, "blk.#.ffn_down", "transformer.h.#.mlp.c_proj", .transposed, needsBias: true),
  ]
  static let scalingGroups = [
    ScalingGroup(.norm(.attentionNorm), .queryKeyValue),
    ScalingGroup(.rows(.queryKeyValue, .values), .attentionOutput),
    ScalingGroup(.norm(.feedForwardNorm), .up),
  ]

  let config: ModelConfig

  static func read(
    _ source: HuggingFaceConfig, into config: inout ModelConfig
  ) throws(ModelError) {
    for (key, usual) in [
      ("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false),
      ("add_cross_attention", false),
    ] where try source.flag(key) ?? usual != usual {
      throw ModelError(.unsupported, "\(key) = \(!usual) is not supported")
    }
  }

  func embed<Backend: ForwardBackend>(_ tokens: [Int], on backend: Backend) -> Backend.Value {
    let x = backend.embed(tokens)
    return backend.add(x, backend.positions(of: x))
  }

  func block<Backend: ForwardBackend>(
    _ index: Int, _ x: Backend.Value, on backend: Backend
  ) -> Backend.Value {
    func id(_ role: TensorRole) -> TensorID { TensorID(role, block: index) }

    let h = backend.layerNorm(x, id(.attentionNorm))  // [tokens, hidden]
    let qkv = backend.split(
      backend.linear(h, id(.queryKeyValue)),
      [config.queryFeatureCount, config.keyFeatureCount, config.keyFeatureCount])
    let a = backend.attend(qkv[0], qkv[1], qkv[2], block: index)
    let y = backend.add(x, id(.attentionOutput), of: a)

    let f = backend.linear(backend.layerNorm(y, id(.feedForwardNorm)), id(.up))
    return backend.add(y, id(.down), of: backend.gelu(f))
  }

  func finish<Backend: ForwardBackend>(_ x: Backend.Value, on backend: Backend) -> Backend.Value {
    backend.layerNorm(x, TensorID(.outputNorm))
  }
}
