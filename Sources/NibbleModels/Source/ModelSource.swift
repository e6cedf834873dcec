public import NibbleCheckpoints

/// A checkpoint understood as a model: its configuration, and each tensor's role.
///
/// A checkpoint of an architecture that Nibble does not know has neither: its tensors can be looked at and quantized by
/// their names and shapes, but it cannot be run.
public struct ModelSource: Sendable {
  public let checkpoint: Checkpoint
  /// The naming that the checkpoint uses.
  public let naming: TensorNaming
  /// What the user should know about the checkpoint.
  public let notes: [String]
  /// The architecture and its numbers; nil where the architecture is not known.
  let family: ModelFamily?
  /// Each tensor as the file holds it; those of experts one by one.
  let records: [TensorID: TensorRecord]
  /// What each of the file's tensors stands for, by its name.
  let places: [String: [TensorID]]
  /// Why the model cannot be run, where its architecture is not known.
  private let obstacle: ModelError?

  /// The model's numbers; nil where the architecture is not known.
  public var config: ModelConfig? { family?.config }

  /// Opens a Hugging Face folder, a `.safetensors` file inside one, or a `.gguf` file.
  ///
  /// - Throws: ``CheckpointError`` or ``ModelError``, with the file's name. That the architecture is not known is no
  ///   error.
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
    naming = checkpoint.format == .gguf ? .gguf : .huggingFace
    do {
      var family = try Self.family(checkpoint)
      let assignment = try TensorAssignment(checkpoint, &family, naming)
      self.family = family
      records = assignment.records
      places = assignment.places
      notes = checkpoint.notes + assignment.notes
      obstacle = nil
    } catch let error as ModelError where error.code == .unknownArchitecture {
      family = nil
      records = [:]
      places = [:]
      obstacle = error.inFile(checkpoint.path)
      notes = checkpoint.notes + ["\(error.message); tensors are treated by name and shape"]
    }
  }

  private static func family(_ checkpoint: Checkpoint) throws -> ModelFamily {
    let config: ModelConfig
    switch checkpoint.format {
    case .gguf: config = try ModelConfig(metadata: checkpoint.metadata, checkpoint: checkpoint)
    case .safetensors:
      guard let json = try checkpoint.json("config.json") else {
        throw ModelError(
          .unknownArchitecture,
          "there is no config.json beside the tensors, so that the architecture is not known")
      }
      config = try ModelConfig(huggingFace: json)
    }
    guard
      let architecture = ArchitectureRegistry.find(
        ggufName: config.architecture, hasExperts: config.expertCount > 0)
    else {
      throw ModelError(
        .malformed,
        "\(config.expertCount) experts do not fit the architecture \(config.architecture)")
    }
    return ModelFamily(architecture: architecture, config: config)
  }

  /// The architecture and its numbers.
  ///
  /// - Throws: ``ModelError/Code/unknownArchitecture``, saying which Nibble knows.
  func requireFamily() throws(ModelError) -> ModelFamily {
    if let family { return family }
    throw obstacle ?? ModelError(.unknownArchitecture, "the architecture is not known")
  }

  /// The model's numbers.
  ///
  /// - Throws: ``ModelError/Code/unknownArchitecture``, saying which Nibble knows.
  public func requireConfig() throws(ModelError) -> ModelConfig { try requireFamily().config }

  /// What each of the file's tensors does, by its name; a tensor that holds several has the place of the first.
  public var ids: [String: TensorID] {
    places.compactMapValues { ids in ids.first.map { ids.count > 1 ? $0.ofAllExperts : $0 } }
  }
}
