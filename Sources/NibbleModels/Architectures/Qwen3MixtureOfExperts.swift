internal import NibbleCheckpoints

/// Qwen3's mixtures of experts (Yang et al. 2025, arXiv:2505.09388): Qwen3's attention, and a router with many small
/// experts for the feed-forward network of all blocks but a few.
struct Qwen3MixtureOfExperts: Architecture {
  static let ggufName = "qwen3moe"
  static let mixesExperts = true
  static let classNames = ["Qwen3MoeForCausalLM"]
  static let modelTypes = ["qwen3_moe"]
  static let fields: [ConfigField] =
    .transformer + [
      ConfigField(\.hasAttentionBias, "attention_bias", or: false),
      ConfigField(\.usedExpertCount, "num_experts_per_tok", "expert_used_count"),
      ConfigField(
        \.expertFeedForwardCount, "moe_intermediate_size", "expert_feed_forward_length"),
    ]
  static let names: [RoleName] =
    .stem + .attention() + .headNorms() + .gatedFeedForward
    + .experts(in: "mlp", gate: "gate_proj", up: "up_proj", down: "down_proj")
  static let scalingGroups: [ScalingGroup] = .attention + .gatedFeedForward + .experts

  let config: ModelConfig

  static func read(
    _ source: HuggingFaceConfig, into config: inout ModelConfig
  ) throws(ModelError) {
    var count = try source.count("num_experts")
    if count == nil { count = try source.count("num_local_experts") }
    guard let count else { throw ModelError(.missing, "num_experts is missing") }
    config.expertCount = count
    config.normalizesExpertWeights = try source.flag("norm_topk_prob") ?? false
    let step = max(1, try source.count("decoder_sparse_step") ?? 1)
    let dense = Set(source.json["mlp_only_layers"]?.array?.compactMap(\.integer) ?? [])
    config.denseBlocks = Set(
      (0..<min(config.blockCount, 10_000)).filter { dense.contains($0) || ($0 + 1) % step != 0 })
    try source.readWindows(into: &config)
  }

  static func read(_ source: GGUFConfig, into config: inout ModelConfig) throws(ModelError) {
    config.expertCount = try source.count("expert_count") ?? 0
    config.normalizesExpertWeights = try source.flag("expert_weights_norm") ?? true
    config.denseBlocks = Set(
      (0..<min(config.blockCount, 10_000)).filter {
        source.checkpoint["blk.\($0).ffn_gate_inp.weight"] == nil
      })
    try source.readWindows(into: &config) { _ in true }
  }

  static func write(_ config: ModelConfig, to json: inout JSONObject) {
    json["num_experts"] = .integer(Int64(config.expertCount))
    json["norm_topk_prob"] = .bool(config.normalizesExpertWeights)
    json["mlp_only_layers"] = .array(config.denseBlocks.sorted().map { .integer(Int64($0)) })
    json["decoder_sparse_step"] = 1
    config.writeWindows(to: &json)
  }

  static func write(_ config: ModelConfig, to metadata: inout Metadata) {
    metadata["\(ggufName).expert_count"] = .uint32(UInt32(clamping: config.expertCount))
    metadata["\(ggufName).expert_weights_norm"] = .bool(config.normalizesExpertWeights)
    config.writeWindows(to: &metadata)
  }

  func block<Backend: ForwardBackend>(
    _ index: Int, _ x: Backend.Value, on backend: Backend
  ) -> Backend.Value {
    func id(_ role: TensorRole) -> TensorID { TensorID(role, block: index) }

    let h = backend.norm(x, id(.attentionNorm))  // [tokens, hidden]
    let qkv = backend.linear(h, [id(.query), id(.key), id(.value)])
    let q = backend.rope(backend.headNorm(qkv[0], id(.queryNorm)), block: index)
    let k = backend.rope(backend.headNorm(qkv[1], id(.keyNorm)), block: index)
    let a = backend.attend(q, k, qkv[2], block: index)
    let y = backend.add(x, id(.attentionOutput), of: a)

    let f = backend.norm(y, id(.feedForwardNorm))
    guard config.hasExperts(inBlock: index) else {
      let gu = backend.linear(f, [id(.gate), id(.up)])  // [tokens, feed-forward]
      return backend.add(y, id(.down), of: backend.gate(gu[0], gu[1], .silu))
    }
    let scores = backend.linear(f, id(.router))  // [tokens, experts]
    let m = backend.mix(f, scores: scores, block: index) { expert, f in
      func id(_ role: TensorRole) -> TensorID { TensorID(role, block: index, expert: expert) }
      let gu = backend.linear(f, [id(.expertGate), id(.expertUp)])
      return backend.linear(backend.gate(gu[0], gu[1], .silu), id(.expertDown))
    }
    return backend.add(y, m)
  }
}
