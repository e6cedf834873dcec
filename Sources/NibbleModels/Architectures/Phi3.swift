internal import NibbleCheckpoints

/// Phi-3, Phi-3.5 and Phi-4 (Abdin et al. 2024, arXiv:2404.14219): Llama's block with queries, keys and values in one
/// matrix, gate and up in another, and rotary factors that depend on the length of the text.
struct Phi3: Architecture {
  static let ggufName = "phi3"
  static let classNames = ["Phi3ForCausalLM"]
  static let modelTypes = ["phi3"]
  static let fields: [ConfigField] =
    .transformer + [
      ConfigField(optional: \.slidingWindow, "sliding_window", "attention.sliding_window")
    ]
  static let names: [RoleName] =
    .stem + [
      RoleName(.queryKeyValue, "blk.#.attn_qkv", "model.layers.#.self_attn.qkv_proj"),
      RoleName(.attentionOutput, "blk.#.attn_output", "model.layers.#.self_attn.o_proj"),
      RoleName(.gateUp, "blk.#.ffn_up", "model.layers.#.mlp.gate_up_proj"),
      RoleName(.down, "blk.#.ffn_down", "model.layers.#.mlp.down_proj"),
    ]
  static let scalingGroups = [
    ScalingGroup(.norm(.attentionNorm), .queryKeyValue),
    ScalingGroup(.rows(.queryKeyValue, .values), .attentionOutput),
    ScalingGroup(.norm(.feedForwardNorm), .gateUp),
    ScalingGroup(.rows(.gateUp, .secondHalf), .down),
  ]

  let config: ModelConfig

  static func write(_ config: ModelConfig, to json: inout JSONObject) {
    guard case .longRope(let longRope)? = config.rope?.scaling else { return }
    json["original_max_position_embeddings"] = .integer(Int64(longRope.originalContext))
  }

  func block<Backend: ForwardBackend>(
    _ index: Int, _ x: Backend.Value, on backend: Backend
  ) -> Backend.Value {
    func id(_ role: TensorRole) -> TensorID { TensorID(role, block: index) }

    let h = backend.norm(x, id(.attentionNorm))  // [tokens, hidden]
    let qkv = backend.split(
      backend.linear(h, id(.queryKeyValue)),
      [config.queryFeatureCount, config.keyFeatureCount, config.keyFeatureCount])
    let q = backend.rope(qkv[0], block: index)  // [tokens, heads · head size]
    let k = backend.rope(qkv[1], block: index)  // [tokens, key-value heads · head size]
    let a = backend.attend(q, k, qkv[2], block: index)
    let y = backend.add(x, id(.attentionOutput), of: a)

    let f = backend.norm(y, id(.feedForwardNorm))
    let gu = backend.split(
      backend.linear(f, id(.gateUp)), [config.feedForwardCount, config.feedForwardCount])
    return backend.add(y, id(.down), of: backend.gate(gu[0], gu[1], .silu))
  }
}
