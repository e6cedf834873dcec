public import NibbleCheckpoints

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
    let source = GGUFConfig(metadata: metadata, prefix: name, checkpoint: checkpoint)
    let hasExperts = (try source.count("expert_count") ?? 0) > 0
    guard let architecture = ArchitectureRegistry.find(ggufName: name, hasExperts: hasExperts)
    else {
      throw ModelError(
        .unknownArchitecture,
        "the architecture \"\(name)\" is not known; Nibble runs "
          + ArchitectureRegistry.ggufNames.joined(separator: ", "))
    }
    self.init(architecture: name, modelType: architecture.modelTypes.first ?? name)
    guard
      let vocabularyCount = checkpoint["token_embd.weight"]?.rowCount
        ?? metadata["tokenizer.ggml.tokens"]?.strings?.count
    else { throw ModelError(.missing, "the tensor token_embd.weight is missing") }
    self.vocabularyCount = vocabularyCount
    for field in architecture.fields { try field.read(from: source, into: &self) }
    // The key may be older than the table.
    self.vocabularyCount = vocabularyCount
    if let pairing = architecture.rotaryPairing {
      rope = try source.rope(headFeatureCount: headFeatureCount, pairing: pairing, self)
    }
    hasTiedEmbeddings = checkpoint["output.weight"] == nil
    hasAttentionBias = checkpoint["blk.0.attn_q.bias"] != nil
    hasFeedForwardBias = checkpoint["blk.0.ffn_up.bias"] != nil
    try architecture.read(source, into: &self)
    self = try validated()
  }

  /// The `general.*` and architecture keys of a GGUF file with this model, without those of the tokenizer.
  func metadata(_ architecture: any Architecture.Type, name: String?) -> Metadata {
    var metadata = Metadata()
    metadata["general.architecture"] = .string(architecture.ggufName)
    metadata["general.type"] = .string("model")
    if let name, !name.isEmpty { metadata["general.name"] = .string(name) }
    for field in architecture.fields {
      guard let value = field.value(self) else { continue }
      for key in field.gguf { metadata["\(architecture.ggufName).\(key)"] = value.metadata }
    }
    if let rope { rope.write(to: &metadata, prefix: architecture.ggufName) }
    architecture.write(self, to: &metadata)
    return metadata
  }
}
