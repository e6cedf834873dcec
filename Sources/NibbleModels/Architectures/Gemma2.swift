internal import NibbleCheckpoints

/// Gemma 2 (Gemma Team 2024, arXiv:2408.00118): norms before and after attention and feed-forward network, scaled
/// embeddings, soft caps on attention scores and logits, and a window over every other block.
struct Gemma2: Architecture {
  static let ggufName = "gemma2"
  static let classNames = ["Gemma2ForCausalLM"]
  static let modelTypes = ["gemma2"]
  static let activation = Activation.geluTanh
  static let activationKey = "hidden_activation"
  static let tiesEmbeddings = true
  static let fields: [ConfigField] =
    .transformer + [
      ConfigField(optional: \.attentionSoftcap, "attn_logit_softcapping", "attn_logit_softcapping"),
      ConfigField(optional: \.outputSoftcap, "final_logit_softcapping", "final_logit_softcapping"),
    ]
  static let names: [RoleName] = .sandwich
  static let scalingGroups: [ScalingGroup] = .attention + .gatedFeedForward

  let config: ModelConfig

  static func read(
    _ source: HuggingFaceConfig, into config: inout ModelConfig
  ) throws(ModelError) {
    try config.readGemmaAttention(source, windowPeriod: 2)
  }

  static func read(_ source: GGUFConfig, into config: inout ModelConfig) throws(ModelError) {
    try source.readWindows(into: &config) { $0 % 2 == 0 }
    try config.readGemmaScale(source, largestBlockCount: 46)
  }

  static func write(_ config: ModelConfig, to json: inout JSONObject) {
    config.writeGemmaAttention(to: &json)
  }

  static func write(_ config: ModelConfig, to metadata: inout Metadata) {
    config.writeGemmaAttention(to: &metadata)
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
    let q = backend.rope(qkv[0], block: index)  // [tokens, heads · head size]
    let k = backend.rope(qkv[1], block: index)  // [tokens, key-value heads · head size]
    let a = backend.linear(backend.attend(q, k, qkv[2], block: index), id(.attentionOutput))
    let y = backend.add(x, backend.norm(a, id(.postAttentionNorm)))

    let f = backend.norm(y, id(.feedForwardNorm))
    let gu = backend.linear(f, [id(.gate), id(.up)])  // [tokens, feed-forward]
    let d = backend.linear(backend.gate(gu[0], gu[1], .geluTanh), id(.down))
    return backend.add(y, backend.norm(d, id(.postFeedForwardNorm)))
  }
}
