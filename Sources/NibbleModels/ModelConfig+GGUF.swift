public import NibbleCheckpoints
internal import NibbleTensors

extension ModelConfig {
  /// Reads the hyperparameters of a GGUF file.
  ///
  /// - Parameters:
  ///   - metadata: the file's keys.
  ///   - checkpoint: the tensors, which say what the keys do not: tied embeddings, biases, rope divisors.
  /// - Throws: ``ModelError`` naming the key that is missing, contradictory or unsupported.
  public init(metadata: Metadata, checkpoint: Checkpoint) throws(ModelError) {
    guard let name = metadata["general.architecture"]?.string else {
      throw ModelError(.missing, "the key general.architecture is missing")
    }
    guard let architecture = ArchitectureRegistry.find(ggufName: name) else {
      throw ModelError(
        .unsupported,
        "the architecture \"\(name)\" is not known; Nibble runs "
          + ArchitectureRegistry.ggufNames.joined(separator: ", "))
    }
    let reader = MetadataReader(metadata: metadata, prefix: name)
    let hiddenCount = try reader.integer("embedding_length")
    let headCount = try reader.integer("attention.head_count")
    guard headCount > 0 else {
      throw ModelError(.malformed, "attention.head_count is \(headCount)")
    }
    let headFeatureCount =
      try reader.optionalInteger("attention.key_length") ?? hiddenCount / headCount
    let vocabularyCount =
      checkpoint["token_embd.weight"]?.rowCount ?? metadata["tokenizer.ggml.tokens"]?.strings?.count
    guard let vocabularyCount else {
      throw ModelError(.missing, "the tensor token_embd.weight is missing")
    }
    self.init(
      architecture: architecture.ggufName, modelType: architecture.modelTypes.first ?? name,
      blockCount: try reader.integer("block_count"), hiddenCount: hiddenCount,
      feedForwardCount: try reader.integer("feed_forward_length"), headCount: headCount,
      keyValueHeadCount: try reader.optionalInteger("attention.head_count_kv") ?? headCount,
      headFeatureCount: headFeatureCount, vocabularyCount: vocabularyCount,
      contextCount: try reader.integer("context_length"),
      normEpsilon: Float(try reader.number("attention.layer_norm_rms_epsilon")),
      rope: try reader.rope(
        headFeatureCount: headFeatureCount, pairing: architecture.ggufPairing,
        divisors: try Self.divisors(checkpoint)),
      slidingWindow: nil, hasTiedEmbeddings: checkpoint["output.weight"] == nil)
    hasAttentionBias = checkpoint["blk.0.attn_q.bias"] != nil
    hasFeedForwardBias = checkpoint["blk.0.ffn_up.bias"] != nil
    expertCount = try reader.optionalInteger("expert_count") ?? 0
    guard expertCount == 0 else {
      throw ModelError(.unsupported, "mixtures of experts are not supported yet")
    }
    self = try validated()
  }

  private static func divisors(_ checkpoint: Checkpoint) throws(ModelError) -> [Float]? {
    guard let record = checkpoint["rope_freqs.weight"] else { return nil }
    guard record.type == .plain(.float32) else {
      throw ModelError(.malformed, "rope_freqs.weight is \(record.type.name), not F32")
    }
    let values = record.bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
    guard values.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw ModelError(.malformed, "rope_freqs.weight holds a value that is not positive")
    }
    return values
  }

  /// The `general.*` and architecture keys of a GGUF file with this model, without those of the tokenizer.
  public func metadata(name: String?) -> Metadata {
    var metadata = Metadata()
    func key(_ suffix: String) -> String { "\(architecture).\(suffix)" }
    metadata["general.architecture"] = .string(architecture)
    metadata["general.type"] = .string("model")
    if let name, !name.isEmpty { metadata["general.name"] = .string(name) }
    metadata[key("block_count")] = .uint32(UInt32(blockCount))
    metadata[key("context_length")] = .uint32(UInt32(contextCount))
    metadata[key("embedding_length")] = .uint32(UInt32(hiddenCount))
    metadata[key("feed_forward_length")] = .uint32(UInt32(feedForwardCount))
    metadata[key("attention.head_count")] = .uint32(UInt32(headCount))
    metadata[key("attention.head_count_kv")] = .uint32(UInt32(keyValueHeadCount))
    metadata[key("rope.freq_base")] = .float32(rope.base)
    metadata[key("attention.layer_norm_rms_epsilon")] = .float32(normEpsilon)
    if headFeatureCount * headCount != hiddenCount {
      metadata[key("attention.key_length")] = .uint32(UInt32(headFeatureCount))
      metadata[key("attention.value_length")] = .uint32(UInt32(headFeatureCount))
    }
    metadata[key("vocab_size")] = .uint32(UInt32(vocabularyCount))
    metadata[key("rope.dimension_count")] = .uint32(UInt32(rope.featureCount))
    if case .linear(let factor) = rope.scaling {
      metadata[key("rope.scaling.type")] = .string("linear")
      metadata[key("rope.scaling.factor")] = .float32(factor)
    }
    return metadata
  }
}

/// Typed access to the keys of one architecture.
private struct MetadataReader {
  let metadata: Metadata
  let prefix: String

  func integer(_ key: String) throws(ModelError) -> Int {
    guard let value = try optionalInteger(key) else {
      throw ModelError(.missing, "the key \(prefix).\(key) is missing")
    }
    return value
  }

  func optionalInteger(_ key: String) throws(ModelError) -> Int? {
    guard let value = metadata["\(prefix).\(key)"] else { return nil }
    guard let integer = value.integer, (0...(1 << 40)).contains(integer) else {
      throw ModelError(.malformed, "the key \(prefix).\(key) is no sensible whole number")
    }
    return integer
  }

  func number(_ key: String) throws(ModelError) -> Double {
    guard let value = metadata["\(prefix).\(key)"]?.number else {
      throw ModelError(.missing, "the key \(prefix).\(key) is missing or no number")
    }
    return value
  }

  func rope(
    headFeatureCount: Int, pairing: RopeConfig.Pairing, divisors: [Float]?
  ) throws(ModelError) -> RopeConfig {
    let base = metadata["\(prefix).rope.freq_base"]?.number ?? 10_000
    let featureCount = try optionalInteger("rope.dimension_count") ?? headFeatureCount
    let kind = metadata["\(prefix).rope.scaling.type"]?.string ?? "none"
    var scaling = RopeConfig.Scaling.none
    switch kind {
    case "none": break
    case "linear":
      let factor = Float(try number("rope.scaling.factor"))
      guard factor.isFinite, factor > 0 else {
        throw ModelError(.malformed, "the key \(prefix).rope.scaling.factor is \(factor)")
      }
      scaling = .linear(factor: factor)
    default:
      throw ModelError(.unsupported, "rope scaling \"\(kind)\" is not supported, only linear")
    }
    if let divisors {
      guard divisors.count == featureCount / 2 else {
        throw ModelError(
          .malformed, "rope_freqs.weight has \(divisors.count) values, not \(featureCount / 2)")
      }
      scaling = .divisors(divisors)
    }
    return RopeConfig(
      base: Float(base), featureCount: featureCount, pairing: pairing, scaling: scaling)
  }
}
