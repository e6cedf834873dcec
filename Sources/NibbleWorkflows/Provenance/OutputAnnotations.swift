internal import Foundation
internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleTensors

/// What a job stores beside the tensors about where they come from.
struct OutputAnnotations: Sendable {
  fileprivate var annotations = ModelAnnotations()
  /// The model's name in a GGUF file, where it is to be another than the source's path gives.
  fileprivate var title: String?

  /// Adds the keys of a GGUF file.
  func write(to metadata: inout Metadata) {
    if let title, metadata["general.name"] != nil { metadata["general.name"] = .string(title) }
    annotations.write(to: &metadata)
  }

  /// The `__metadata__` of safetensors files, which tell it themselves where they stand alone.
  func fileMetadata(_ metadata: [String: String], isSingleFile: Bool) -> [String: String] {
    guard isSingleFile else { return metadata }
    return metadata.merging(annotations.fileMetadata) { _, new in new }
  }

  /// The files of a folder with the one that tells it.
  func files(_ files: [String: [UInt8]]) -> [String: [UInt8]] {
    guard !annotations.isEmpty else { return files }
    var files = files
    files[ModelAnnotations.fileName] = annotations.fileBytes
    return files
  }
}

/// What a job knows of its inputs when it is about to write.
struct OutputOrigin {
  /// The path of the source as the user wrote it.
  let path: String
  let model: ModelSource
  let recipe: Recipe
  let calibration: CalibrationSource?
  let tasks: [TensorTask]
  /// What to store where that is settled: a job that makes the same output again says what the first one said.
  let stated: Provenance?
  /// Whether to store anything.
  let isRecorded: Bool

  /// Hashes the source and gathers what the output will say of it.
  ///
  /// A GGUF file that is copied tensor by tensor stays what it was, and says of itself what it said.
  ///
  /// - Throws: `JobCancelled`.
  func annotations(_ environment: JobEnvironment) throws -> OutputAnnotations {
    if let stated {
      var title: String?
      if model.naming != .gguf {
        title = URL(fileURLWithPath: stated.source.path).standardizedFileURL.lastPathComponent
      }
      return OutputAnnotations(
        annotations: ModelAnnotations(version: stated.version, provenance: stated.json),
        title: title)
    }
    guard isRecorded else { return OutputAnnotations() }
    let earlier = try? model.checkpoint.annotations()
    if model.naming == .gguf, recipe.format == .gguf, tasks.allSatisfy(\.isCopy) {
      return OutputAnnotations(annotations: earlier ?? ModelAnnotations())
    }
    var provenance = Provenance(
      version: NibbleVersion.current,
      source: Provenance.Source(
        path: path, format: model.checkpoint.format.rawValue,
        tensorCount: model.checkpoint.tensors.count,
        hash: try WeightHash(model.checkpoint, environment).total),
      recipe: recipe)
    provenance.calibration = calibration
    if calibration != nil { provenance.numerics = MachineNumerics.description }
    provenance.tensors = Provenance.TensorCounts(tasks)
    if let json = earlier?.provenance, var last = try? Provenance(json: json) {
      let older = last.history
      last.history = []
      provenance.history = Array(([last] + older).prefix(Provenance.historyLimit))
    }
    return OutputAnnotations(
      annotations: ModelAnnotations(version: provenance.version, provenance: provenance.json))
  }
}
