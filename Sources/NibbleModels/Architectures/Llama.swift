/// Llama 1 to 3 (Touvron et al. 2023, arXiv:2302.13971), and the models that kept its blocks: Mistral, TinyLlama, SmolLM2.
///
/// Each block adds attention and then a gated feed-forward network to the residual stream, each behind an RMS norm; the
/// queries and keys turn with their position; groups of query heads share key and value heads.
struct Llama: Architecture {
  static let ggufName = "llama"
  static let classNames = ["LlamaForCausalLM", "MistralForCausalLM"]
  static let modelTypes = ["llama", "mistral"]
  static let rotaryPairing: RopeConfig.Pairing? = .interleaved
  static let fields: [ConfigField] =
    .transformer + [
      ConfigField(\.hasAttentionBias, "attention_bias", or: false),
      ConfigField(\.hasFeedForwardBias, "mlp_bias", or: false),
      ConfigField(optional: \.slidingWindow, "sliding_window", "attention.sliding_window"),
    ]
  static let names: [RoleName] = .stem + .attention(.rotaryRows) + .gatedFeedForward
  static let scalingGroups: [ScalingGroup] = .attention + .gatedFeedForward

  let config: ModelConfig

  static func read(_ source: GGUFConfig, into config: inout ModelConfig) throws(ModelError) {
    // In Hugging Face's spelling only Mistral has windows.
    if config.slidingWindow != nil { config.modelType = "mistral" }
  }

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
    let gu = backend.linear(f, [id(.gate), id(.up)])  // [tokens, feed-forward]
    return backend.add(y, id(.down), of: backend.gate(gu[0], gu[1], .silu))
  }
}
