/// Llama 1 to 3 (Touvron et al. 2023, arXiv:2302.13971), and the models that kept its blocks: Mistral, TinyLlama, SmolLM2.
///
/// Each block adds attention and then a gated feed-forward network to the residual stream, each behind an RMS norm; the
/// queries and keys turn with their position; groups of query heads share key and value heads.
struct Llama: Architecture {
  static let ggufName = "llama"
  static let classNames = ["LlamaForCausalLM", "MistralForCausalLM"]
  static let modelTypes = ["llama", "mistral"]
  static let ggufPairing = RopeConfig.Pairing.interleaved
  static let names: [RoleName] = [
    RoleName(.tokenEmbedding, "token_embd", "model.embed_tokens"),
    RoleName(.outputNorm, "output_norm", "model.norm"),
    RoleName(.output, "output", "lm_head"),
    RoleName(.attentionNorm, "blk.#.attn_norm", "model.layers.#.input_layernorm"),
    RoleName(.query, "blk.#.attn_q", "model.layers.#.self_attn.q_proj", hasRotaryRows: true),
    RoleName(.key, "blk.#.attn_k", "model.layers.#.self_attn.k_proj", hasRotaryRows: true),
    RoleName(.value, "blk.#.attn_v", "model.layers.#.self_attn.v_proj"),
    RoleName(.attentionOutput, "blk.#.attn_output", "model.layers.#.self_attn.o_proj"),
    RoleName(.feedForwardNorm, "blk.#.ffn_norm", "model.layers.#.post_attention_layernorm"),
    RoleName(.gate, "blk.#.ffn_gate", "model.layers.#.mlp.gate_proj"),
    RoleName(.up, "blk.#.ffn_up", "model.layers.#.mlp.up_proj"),
    RoleName(.down, "blk.#.ffn_down", "model.layers.#.mlp.down_proj"),
  ]

  let config: ModelConfig

  func block<Backend: ForwardBackend>(
    _ index: Int, _ x: Backend.Value, on backend: Backend
  ) -> Backend.Value {
    func id(_ role: TensorRole) -> TensorID { TensorID(role, block: index) }

    let h = backend.norm(x, id(.attentionNorm))  // [tokens, hidden]
    let qkv = backend.linear(h, [id(.query), id(.key), id(.value)])
    let q = backend.rope(qkv[0])  // [tokens, heads · head size]
    let k = backend.rope(qkv[1])  // [tokens, key-value heads · head size]
    let a = backend.attend(q, k, qkv[2], block: index)
    let y = backend.add(x, backend.linear(a, id(.attentionOutput)))

    let f = backend.norm(y, id(.feedForwardNorm))
    let gu = backend.linear(f, [id(.gate), id(.up)])  // [tokens, feed-forward]
    return backend.add(y, backend.linear(backend.gate(gu[0], gu[1]), id(.down)))
  }
}
