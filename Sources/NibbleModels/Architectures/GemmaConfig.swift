internal import NibbleCheckpoints

// What the files of Gemma 2 and 3 have in common.

extension [RoleName] {
  /// Llama's matrices between norms on both sides, whose weights Hugging Face stores less one.
  static let sandwich: [RoleName] =
    [
      RoleName(.tokenEmbedding, "token_embd", "model.embed_tokens"),
      RoleName(.outputNorm, "output_norm", "model.norm", .lessOne),
      RoleName(.output, "output", "lm_head"),
      RoleName(.attentionNorm, "blk.#.attn_norm", "model.layers.#.input_layernorm", .lessOne),
      RoleName(
        .postAttentionNorm, "blk.#.post_attention_norm",
        "model.layers.#.post_attention_layernorm", .lessOne),
      RoleName(
        .feedForwardNorm, "blk.#.ffn_norm", "model.layers.#.pre_feedforward_layernorm", .lessOne),
      RoleName(
        .postFeedForwardNorm, "blk.#.post_ffw_norm",
        "model.layers.#.post_feedforward_layernorm", .lessOne),
    ] + .attention() + .gatedFeedForward
}

extension ModelConfig {
  /// Reads the windows and the scale of the scores. Of `windowPeriod` blocks the last sees everything, where the file does
  /// not say it.
  mutating func readGemmaAttention(
    _ source: HuggingFaceConfig, windowPeriod: Int
  ) throws(ModelError) {
    queryScale = try source.number("query_pre_attn_scalar").map { Float($0) }
    if queryScale == Float(headFeatureCount) { queryScale = nil }
    let window = try source.count("sliding_window") ?? 4096
    slidingWindow = window == 0 ? nil : window
    let period = max(1, try source.count("sliding_window_pattern") ?? windowPeriod)
    let blocks = (0..<min(blockCount, 10_000)).map { ($0 + 1) % period != 0 }
    windowedBlocks = slidingWindow == nil ? [] : try source.windowedBlocks() ?? blocks
    if try source.flag("use_bidirectional_attention") == true {
      throw ModelError(.unsupported, "use_bidirectional_attention is not supported")
    }
  }

  /// Reads the scale of the scores. The family's largest model, of `largestBlockCount` blocks, divides by the hidden size
  /// per head; its files do not say it.
  mutating func readGemmaScale(_ source: GGUFConfig, largestBlockCount: Int) throws(ModelError) {
    if let factor = try source.number("attention.scale") {
      let scale = Float(1 / (factor * factor))
      queryScale = abs(scale - scale.rounded()) < 1e-5 * scale ? scale.rounded() : scale
    } else if blockCount == largestBlockCount {
      queryScale = Float(hiddenCount / headCount)
    }
  }

  func writeGemmaAttention(to json: inout JSONObject) {
    let scale = queryScale ?? Float(headFeatureCount)
    json["query_pre_attn_scalar"] =
      Int64(exactly: scale).map { .integer($0) } ?? .number(shortest(scale))
    if let slidingWindow {
      json["sliding_window"] = .integer(Int64(slidingWindow))
      json["layer_types"] = layerTypesJSON
    }
  }

  func writeGemmaAttention(to metadata: inout Metadata) {
    writeWindows(to: &metadata)
    if queryScale != nil {
      metadata["\(architecture).attention.scale"] = .float32(attentionScale)
    }
  }
}
