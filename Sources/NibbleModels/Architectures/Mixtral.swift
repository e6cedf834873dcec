/// Mixtral (Jiang et al. 2024, arXiv:2401.04088): Mistral's block with a mixture of experts for its feed-forward network.
/// A router picks a few experts for each token; their outputs are added up, weighted.
struct Mixtral: Architecture {
  static let ggufName = "llama"
  static let mixesExperts = true
  static let classNames = ["MixtralForCausalLM"]
  static let modelTypes = ["mixtral"]
  static let rotaryPairing: RopeConfig.Pairing? = .interleaved
  static let fields: [ConfigField] =
    .transformer + [
      ConfigField(\.expertCount, "num_local_experts", "expert_count"),
      ConfigField(\.usedExpertCount, "num_experts_per_tok", "expert_used_count"),
      ConfigField(\.expertFeedForwardCount, nil) { $0.feedForwardCount },
      ConfigField(optional: \.slidingWindow, "sliding_window", "attention.sliding_window"),
    ]
  static let names: [RoleName] =
    .stem + .attention(.rotaryRows)
    + .experts(in: "block_sparse_moe", gate: "w1", up: "w3", down: "w2")
  static let scalingGroups: [ScalingGroup] = .attention + .experts

  let config: ModelConfig

  func block<Backend: ForwardBackend>(
    _ index: Int, _ x: Backend.Value, on backend: Backend
  ) -> Backend.Value {
    func id(_ role: TensorRole) -> TensorID { TensorID(role, block: index) }

    let h = backend.norm(x, id(.attentionNorm))  // [tokens, hidden]
    let qkv = backend.linear(h, [id(.query), id(.key), id(.value)])
    let q = backend.rope(qkv[0], block: index)  // [tokens, heads · head size]
    let k = backend.rope(qkv[1], block: index)  // [tokens, key-value heads · head size]
    let a = backend.attend(q, k, qkv[2], block: index)
    let y = backend.add(x, id(.attentionOutput), of: a)

    let f = backend.norm(y, id(.feedForwardNorm))
    let scores = backend.linear(f, id(.router))  // [tokens, experts]
    let m = backend.mix(f, scores: scores, block: index) { expert, f in
      func id(_ role: TensorRole) -> TensorID { TensorID(role, block: index, expert: expert) }
      let gu = backend.linear(f, [id(.expertGate), id(.expertUp)])
      return backend.linear(backend.gate(gu[0], gu[1], .silu), id(.expertDown))
    }
    return backend.add(y, m)
  }
}
