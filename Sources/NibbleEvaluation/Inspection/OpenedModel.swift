internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleTensors

/// A checkpoint, understood as a model where its architecture is known.
struct OpenedModel {
  let checkpoint: Checkpoint
  /// The model; nil where the checkpoint is none that Nibble understands.
  let source: ModelSource?
  /// What the user should hear of.
  let notes: [String]

  /// - Throws: `CheckpointError` when the tensors cannot be read. A model that is not understood, or whose configuration is
  ///   broken, is no error.
  init(_ path: String) throws {
    let checkpoint = try Checkpoint.open(path)
    self.checkpoint = checkpoint
    do {
      let source = try ModelSource(checkpoint)
      self.source = source
      notes = source.notes
    } catch {
      source = nil
      notes = checkpoint.notes + ["\(error); tensors are listed without roles"]
    }
  }

  /// The model's numbers; nil where the model is not understood.
  var config: ModelConfig? { source?.config }

  /// Each tensor's place in the model, by its name in the file; empty where the model is not understood.
  var ids: [String: TensorID] { source?.ids ?? [:] }

  /// The architecture's name, where the files say it, known or not.
  var architectureName: String? {
    if let config { return config.architecture }
    if let name = checkpoint.metadata["general.architecture"]?.string { return name }
    let config = try? checkpoint.json("config.json")
    return config?["architectures"]?.array?.first?.string ?? config?["model_type"]?.string
  }
}
