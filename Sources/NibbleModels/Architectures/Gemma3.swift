internal import NibbleCheckpoints

/// The text model of Gemma 3 (Gemma Team 2025, arXiv:2503.19786): norms before and after attention and feed-forward
/// network, norms on each head's query and key, scaled embeddings, and five blocks with a window and a short rotary base
/// for each one that sees everything.
struct Gemma3: Architecture {
  static let ggufName = "gemma3"
  static let classNames = ["Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"]
  static let modelTypes = ["gemma3_text", "gemma3"]
  static let activation = Activation.geluTanh
  static let activationKey = "hidden_activation"
  static let tiesEmbeddings = true
  static let otherParts = [
    "vision_tower.", "multi_modal_projector.", "model.vision_tower.",
    "model.multi_modal_projector.",
  ]
  static let fields: [ConfigField] = [
    ConfigField(\.blockCount, "num_hidden_layers", "block_count"),
    ConfigField(\.hiddenCount, "hidden_size", "embedding_length"),
    ConfigField(\.feedForwardCount, "intermediate_size", "feed_forward_length"),
    ConfigField(\.headCount, "num_attention_heads", "attention.head_count") { _ in 8 },
    ConfigField(\.keyValueHeadCount, "num_key_value_heads", "attention.head_count_kv") { _ in 4 },
    ConfigField(\.headFeatureCount, "head_dim", "attention.key_length", "attention.value_length") {
      _ in 256
    },
    ConfigField(\.vocabularyCount, "vocab_size") {
      $0.vocabularyCount == 0 ? 262_208 : $0.vocabularyCount
    },
    ConfigField(\.contextCount, "max_position_embeddings", "context_length") { _ in 131_072 },
    ConfigField(\.normEpsilon, "rms_norm_eps", "attention.layer_norm_rms_epsilon", or: 1e-6),
    ConfigField(optional: \.outputSoftcap, "final_logit_softcapping", "final_logit_softcapping"),
  ]
  static let names: [RoleName] = .sandwich + .headNorms(.lessOne)
  static let scalingGroups: [ScalingGroup] = .attention + .gatedFeedForward

  let config: ModelConfig

  static func read(
    _ source: HuggingFaceConfig, into config: inout ModelConfig
  ) throws(ModelError) {
    try config.readGemmaAttention(source, windowPeriod: 6)
    let sizes = (config.headFeatureCount, config.contextCount)
    config.rope = try source.rope(
      layerType: "full_attention", defaultBase: 1_000_000, headFeatureCount: sizes.0,
      contextCount: sizes.1)
    var local = RopeConfig(base: 10_000, featureCount: sizes.0, pairing: .halves)
    if source.json["rope_parameters"]?["sliding_attention"] != nil {
      local = try source.rope(
        layerType: "sliding_attention", baseKey: "rope_local_base_freq",
        headFeatureCount: sizes.0, contextCount: sizes.1)
    } else if let base = try source.number("rope_local_base_freq") {
      local.base = Float(base)
    }
    config.windowRope = local
  }

  static func read(_ source: GGUFConfig, into config: inout ModelConfig) throws(ModelError) {
    try source.readWindows(into: &config) { $0 % 6 != 5 }
    config.windowRope = RopeConfig(
      base: Float(try source.number("rope.freq_base_swa") ?? 10_000),
      featureCount: config.headFeatureCount, pairing: .halves)
    try config.readGemmaScale(source, largestBlockCount: 62)
  }

  static func write(_ config: ModelConfig, to json: inout JSONObject) {
    config.writeGemmaAttention(to: &json)
    guard let rope = config.rope, let local = config.windowRope else { return }
    json["rope_scaling"] = nil
    json["rope_local_base_freq"] = .number(shortest(local.base))
    func parameters(_ rope: RopeConfig) -> JSONValue {
      var object = rope.scalingJSON ?? JSONObject(["rope_type": "default"])
      object["rope_theta"] = .number(shortest(rope.base))
      return .object(object)
    }
    json["rope_parameters"] = [
      "full_attention": parameters(rope), "sliding_attention": parameters(local),
    ]
  }

  static func write(_ config: ModelConfig, to metadata: inout Metadata) {
    config.writeGemmaAttention(to: &metadata)
    if let local = config.windowRope {
      metadata["\(ggufName).rope.freq_base_swa"] = .float32(local.base)
    }
  }

  func embed<Backend: ForwardBackend>(_ tokens: [Int], on backend: Backend) -> Backend.Value {
    backend.scale(backend.embed(tokens), by: Float(config.hiddenCount).squareRoot())
  }

  func block<Backend: ForwardBackend>(
    _ index: Int, _ x: Backend.Value, on backend: Backend
  ) -> Backend.Value {
    func id(_ role: TensorRole) -> TensorID { TensorID(role, block: index) }

    let h = backend.norm(x, id(.attentionNorm))  // [tokens, hidden]
    let qkv = backend.linear(h, [id(.query), id(.key), id(.value)])
    let q = backend.rope(backend.headNorm(qkv[0], id(.queryNorm)), block: index)
    let k = backend.rope(backend.headNorm(qkv[1], id(.keyNorm)), block: index)
    let a = backend.linear(backend.attend(q, k, qkv[2], block: index), id(.attentionOutput))
    let y = backend.add(x, backend.norm(a, id(.postAttentionNorm)))

    let f = backend.norm(y, id(.feedForwardNorm))
    let gu = backend.linear(f, [id(.gate), id(.up)])  // [tokens, feed-forward]
    let d = backend.linear(backend.gate(gu[0], gu[1], .geluTanh), id(.down))
    return backend.add(y, backend.norm(d, id(.postFeedForwardNorm)))
  }
}
