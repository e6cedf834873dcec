public import NibbleCheckpoints

/// A checkpoint understood as a model: its configuration, and each tensor's role.
public struct ModelSource: Sendable {
  public let checkpoint: Checkpoint
  public let config: ModelConfig
  /// The naming that the checkpoint uses.
  public let naming: TensorNaming
  /// What the user should know about the checkpoint.
  public let notes: [String]
  let architecture: any Architecture.Type
  let records: [TensorID: TensorRecord]

  /// Opens a Hugging Face folder, a `.safetensors` file inside one, or a `.gguf` file.
  ///
  /// - Throws: ``CheckpointError`` or ``ModelError``, with the file's name.
  public static func open(_ path: String) throws -> ModelSource {
    try ModelSource(Checkpoint.open(path))
  }

  public init(_ checkpoint: Checkpoint) throws {
    do {
      try self.init(understanding: checkpoint)
    } catch let error as ModelError {
      throw error.inFile(checkpoint.path)
    }
  }

  private init(understanding checkpoint: Checkpoint) throws {
    self.checkpoint = checkpoint
    switch checkpoint.format {
    case .gguf:
      naming = .gguf
      config = try ModelConfig(metadata: checkpoint.metadata, checkpoint: checkpoint)
    case .safetensors:
      naming = .huggingFace
      guard let json = try checkpoint.json("config.json") else {
        throw ModelError(.missing, "there is no config.json beside the tensors")
      }
      var read = try ModelConfig(huggingFace: json)
      read.hasTiedEmbeddings = read.hasTiedEmbeddings || checkpoint["lm_head.weight"] == nil
      config = read
    }
    guard let architecture = ArchitectureRegistry.find(ggufName: config.architecture) else {
      throw ModelError(.unsupported, "the architecture \"\(config.architecture)\" is not known")
    }
    self.architecture = architecture
    var notes = checkpoint.notes
    (records, notes) = try Self.assign(
      checkpoint, NameMap(architecture.names, naming: naming), config, notes)
    self.notes = notes
  }

  /// Finds each tensor's role and checks that none is missing and all shapes fit the configuration.
  private static func assign(
    _ checkpoint: Checkpoint, _ map: NameMap, _ config: ModelConfig, _ oldNotes: [String]
  ) throws(ModelError) -> ([TensorID: TensorRecord], [String]) {
    var records: [TensorID: TensorRecord] = [:]
    var notes = oldNotes
    for record in checkpoint.tensors where !isDerived(record.name) {
      guard let id = map.id(of: record.name), (id.block ?? 0) < config.blockCount else {
        throw ModelError(
          .unsupported,
          "the tensor \(record.name) is not one of architecture \(config.architecture)")
      }
      if id.role == .output, config.hasTiedEmbeddings {
        notes.append("\(record.name) is ignored: the configuration ties it to the embeddings")
        continue
      }
      guard records.updateValue(record, forKey: id) == nil else {
        throw ModelError(.malformed, "the tensor \(record.name) stands twice under two names")
      }
    }
    for id in requiredTensors(config) {
      guard let record = records[id] else {
        throw ModelError(.missing, "the tensor \(map.name(of: id) ?? "\(id)") is missing")
      }
      let expected = expectedShape(id, config)
      guard record.shape == expected else {
        throw ModelError(
          .malformed,
          "the tensor \(record.name) has shape \(record.shape), the configuration says \(expected)")
      }
    }
    for (id, record) in records where id.part == .bias {
      let rows = expectedShape(TensorID(id.role, block: id.block), config).first ?? 0
      guard record.shape == [rows] else {
        throw ModelError(
          .malformed, "the tensor \(record.name) has shape \(record.shape), not [\(rows)]")
      }
    }
    return (records, notes)
  }

  /// Tensors that other keys determine.
  private static func isDerived(_ name: String) -> Bool {
    name == "rope_freqs.weight" || name.hasSuffix("rotary_emb.inv_freq")
  }

  private static func requiredTensors(_ config: ModelConfig) -> [TensorID] {
    var ids = [TensorID(.tokenEmbedding), TensorID(.outputNorm)]
    if !config.hasTiedEmbeddings { ids.append(TensorID(.output)) }
    let roles: [TensorRole] = [
      .attentionNorm, .query, .key, .value, .attentionOutput, .feedForwardNorm, .gate, .up, .down,
    ]
    for block in 0..<config.blockCount {
      ids += roles.map { TensorID($0, block: block) }
    }
    return ids
  }

  private static func expectedShape(_ id: TensorID, _ config: ModelConfig) -> [Int] {
    switch id.role {
    case .tokenEmbedding, .output: [config.vocabularyCount, config.hiddenCount]
    case .outputNorm, .attentionNorm, .feedForwardNorm: [config.hiddenCount]
    case .query: [config.queryFeatureCount, config.hiddenCount]
    case .key, .value: [config.keyFeatureCount, config.hiddenCount]
    case .attentionOutput: [config.hiddenCount, config.queryFeatureCount]
    case .gate, .up: [config.feedForwardCount, config.hiddenCount]
    case .down: [config.hiddenCount, config.feedForwardCount]
    }
  }
}
