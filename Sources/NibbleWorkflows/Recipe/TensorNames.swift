// What the names of tensors tell, above all those in GGUF files.

/// The block's index in a name such as `blk.7.attn_q.weight`.
func blockIndex(of name: String) -> Int? {
  let parts = name.split(separator: ".", maxSplits: 2)
  return parts.count > 1 && parts[0] == "blk" ? Int(parts[1]) : nil
}

/// Sorts tensors as llama-quantize does: those outside the blocks first, then block by block, by name.
func ggufOrder(_ name: String) -> (Int, String) { (blockIndex(of: name) ?? -1, name) }

/// Whether the tensor is the table of the tokens' embeddings; also under the names that folders of architectures use which
/// Nibble does not know.
func isTokenEmbedding(_ name: String) -> Bool {
  name == "token_embd.weight"
    || ["embed_tokens.weight", "wte.weight", "word_embeddings.weight", "embed_in.weight"]
      .contains(where: name.hasSuffix)
}

/// Whether the tensor is the matrix that makes the logits, likewise.
func isOutputMatrix(_ name: String) -> Bool {
  name == "output.weight" || ["lm_head.weight", "embed_out.weight"].contains(where: name.hasSuffix)
}

/// Why a tensor is never quantized; nil when it is a matrix of weights.
func reasonToKeep(_ tensor: SelectableTensor) -> String? {
  let name = tensor.name
  if name.holds("norm.weight") || name.holds("layernorm") { return "norm" }
  if name.hasSuffix(".bias") { return "bias" }
  if tensor.shape.count < 2 { return "one-dimensional" }
  if tensor.shape.count > 3 { return "a convolution" }
  if !name.hasSuffix("weight") { return "no weight matrix" }
  if name.holds("ffn_gate_inp.weight") { return "router of the experts" }
  if name == "position_embd.weight" { return "position embeddings" }
  if name == "token_types.weight" { return "token type embeddings" }
  let sensitive = [
    "altup", "laurel", "per_layer_model_proj", "ssm_conv1d", "shortconv.conv.weight",
  ]
  if sensitive.contains(where: name.holds) { return "small and sensitive" }
  return nil
}

extension String {
  /// Whether `part` stands somewhere in the text, byte for byte. Much faster than `contains`.
  func holds(_ part: String) -> Bool {
    let text = Array(utf8)
    let part = Array(part.utf8)
    guard part.count <= text.count else { return false }
    return (0...text.count - part.count).contains { text[$0...].starts(with: part) }
  }
}
