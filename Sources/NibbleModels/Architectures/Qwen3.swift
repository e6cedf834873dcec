/// Qwen3 (Yang et al. 2025, arXiv:2505.09388): Llama's block with an RMS norm on each head's query and key, and heads of
/// their own size.
struct Qwen3: QwenArchitecture {
  static let ggufName = "qwen3"
  static let classNames = ["Qwen3ForCausalLM"]
  static let modelTypes = ["qwen3"]
  static let fields: [ConfigField] =
    .transformer + [ConfigField(\.hasAttentionBias, "attention_bias", or: false)]
  static let names: [RoleName] = .stem + .attention() + .headNorms() + .gatedFeedForward
  static let scalingGroups: [ScalingGroup] = .attention + .gatedFeedForward

  let config: ModelConfig

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
    let gu = backend.linear(f, [id(.gate), id(.up)])  // [tokens, feed-forward]
    return backend.add(y, id(.down), of: backend.gate(gu[0], gu[1], .silu))
  }
}
