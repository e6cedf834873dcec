/// Qwen2 and Qwen2.5 (Yang et al. 2024, arXiv:2407.10671): Llama's block with biases on queries, keys and values, and
/// windows over the last layers where the configuration turns them on.
struct Qwen2: QwenArchitecture {
  static let ggufName = "qwen2"
  static let classNames = ["Qwen2ForCausalLM"]
  static let modelTypes = ["qwen2"]
  static let names: [RoleName] = .stem + .attention(needsBias: true) + .gatedFeedForward
  static let scalingGroups: [ScalingGroup] = .attention + .gatedFeedForward

  let config: ModelConfig

  func block<Backend: ForwardBackend>(
    _ index: Int, _ x: Backend.Value, on backend: Backend
  ) -> Backend.Value {
    func id(_ role: TensorRole) -> TensorID { TensorID(role, block: index) }

    let h = backend.norm(x, id(.attentionNorm))  // [tokens, hidden]
    let qkv = backend.linear(h, [id(.query), id(.key), id(.value)])  // with biases
    let q = backend.rope(qkv[0], block: index)  // [tokens, heads · head size]
    let k = backend.rope(qkv[1], block: index)  // [tokens, key-value heads · head size]
    let a = backend.attend(q, k, qkv[2], block: index)
    let y = backend.add(x, id(.attentionOutput), of: a)

    let f = backend.norm(y, id(.feedForwardNorm))
    let gu = backend.linear(f, [id(.gate), id(.up)])  // [tokens, feed-forward]
    return backend.add(y, id(.down), of: backend.gate(gu[0], gu[1], .silu))
  }
}
