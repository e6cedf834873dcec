internal import Foundation
internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleTensors

/// Makes a model again from what its files say of how they were made, and compares the bytes.
public struct ReproduceJob: Sendable {
  /// The model to make again: a folder, a `.safetensors` or a `.gguf` file that Nibble wrote.
  public var model: String
  /// Where the source lies now; nil looks where it was.
  public var source: String?
  /// Where the calibration's text or importance matrix lies now; nil looks where it was.
  public var calibration: String?

  public init(model: String) { self.model = model }

  /// Checks the inputs by their hashes, follows the recipe into a temporary place beside the model, compares, and removes what
  /// was made.
  ///
  /// - Throws: `CheckpointError`, `ModelError` or `FileError` for files that are missing or cannot be read, among them a model
  ///   without provenance; ``RecipeError`` where an input's place is not known; ``JobCancelled``.
  public func run(_ environment: JobEnvironment = JobEnvironment()) throws -> ReproduceReport {
    let start = ContinuousClock.now
    let path = try Self.annotatedPath(model)
    guard let provenance = try Provenance.read(Checkpoint.open(path)) else {
      throw CheckpointError(
        .missing, "does not say how it was made, so that it cannot be made again", file: model)
    }
    var report = ReproduceReport(model: model, provenance: provenance)
    report.notes = notes(provenance)
    report.source = source ?? provenance.source.path
    try reproduce(path, provenance, environment, &report)
    report.seconds = (.now - start) / .seconds(1)
    return report
  }

  private func reproduce(
    _ path: String, _ provenance: Provenance, _ environment: JobEnvironment,
    _ report: inout ReproduceReport
  ) throws {
    let found = try WeightHash(Checkpoint.open(report.source), environment).total
    guard found == provenance.source.hash else {
      report.difference =
        "the source \(report.source) is not what the model was made from: its tensors' SHA-256 is \(found),"
        + " not \(provenance.source.hash)"
      return
    }
    let input = try calibrationInput(provenance, &report)
    guard report.difference == nil else { return }
    let copy = Self.temporaryPath(beside: path)
    defer {
      for left in [copy, CalibrationJournal.path(for: copy)] {
        try? FileManager.default.removeItem(atPath: left)
      }
    }
    try follow(provenance, from: report.source, to: copy, input, environment)
    let comparison = try OutputComparison(path, copy)
    report.difference = comparison.difference
    report.notes += comparison.notes
  }

  /// Writes the model again.
  private func follow(
    _ provenance: Provenance, from source: String, to output: String, _ input: CalibrationInput,
    _ environment: JobEnvironment
  ) throws {
    switch provenance.recipe {
    case .quantize(let recipe):
      var job = QuantizeJob(recipe, source: source, output: output)
      job.calibration?.text = input.text
      job.calibration?.importance = input.importance
      job.calibration?.isResuming = false
      job.statedProvenance = provenance
      job.isVerifying = false
      _ = try job.run(environment)
    case .convert(let recipe):
      var job = ConvertJob(recipe, source: source, output: output)
      job.statedProvenance = provenance
      job.isVerifying = false
      _ = try job.run(environment)
    }
  }

  /// What the recipe runs through the model; neither for the text that comes with Nibble.
  private struct CalibrationInput {
    var text: CalibrationText?
    var importance: ImportanceMatrix?
  }

  /// Reads the text or the importance matrix and checks that it is the one that was used.
  private func calibrationInput(
    _ provenance: Provenance, _ report: inout ReproduceReport
  ) throws -> CalibrationInput {
    var input = CalibrationInput()
    guard let wanted = provenance.calibration else { return input }
    let found: CalibrationSource
    switch wanted.kind {
    case .builtIn: found = .builtIn
    case .text:
      let path = try place(of: wanted)
      let text = try CalibrationText.read(path)
      input.text = text
      found = CalibrationSource(text, path: path)
    case .importance:
      let path = try place(of: wanted)
      let importance = try ImportanceMatrix.read(path)
      input.importance = importance
      found = CalibrationSource(importance, path: path)
    }
    if found.hash != wanted.hash {
      report.difference =
        "the calibration's \(wanted.kind == .importance ? "importance matrix" : "text") is another: the SHA-256 of"
        + " \(found.path ?? found.name) is \(found.hash), not \(wanted.hash)"
    }
    return input
  }

  private func place(of wanted: CalibrationSource) throws(RecipeError) -> String {
    if let path = calibration ?? wanted.path { return path }
    throw RecipeError("where \"\(wanted.name)\" lies is not stored; say --calibration")
  }

  /// What may make the bytes differ without anybody's fault.
  private func notes(_ provenance: Provenance) -> [String] {
    var notes: [String] = []
    if provenance.version != NibbleVersion.current {
      notes.append(
        "made by version \(provenance.version); this is \(NibbleVersion.current), which may write other bytes"
      )
    }
    if let numerics = provenance.numerics, numerics != MachineNumerics.description {
      notes.append(
        "made with the arithmetic of \(numerics); this machine's is \(MachineNumerics.description), whose roundings may differ"
      )
    }
    return notes
  }

  /// The file or folder that a job wrote, where the user names a file in such a folder, or a folder that holds a file.
  private static func annotatedPath(_ path: String) throws(CheckpointError) -> String {
    let checkpoint = try Checkpoint.open(path)
    if checkpoint.format == .gguf { return checkpoint.path }
    let url = URL(filePath: path).standardizedFileURL
    guard !url.isFolder, checkpoint.fileMetadata["nibble.provenance"] == nil else { return path }
    let folder = url.deletingLastPathComponent()
    let file = folder.appending(path: ModelAnnotations.fileName)
    return FileManager.default.fileExists(atPath: file.path) ? folder.path : path
  }

  /// A hidden name in the same folder, of the same kind.
  private static func temporaryPath(beside path: String) -> String {
    let url = URL(filePath: path).standardizedFileURL
    var name = url.lastPathComponent
    var ending = ""
    for known in [".gguf", ".safetensors"] where name.hasSuffix(known) {
      name.removeLast(known.count)
      ending = known
    }
    while name.utf8.count > 150 { name.removeLast() }
    let process = ProcessInfo.processInfo.processIdentifier
    return url.deletingLastPathComponent().path + "/.\(name).reproduced-\(process)\(ending)"
  }
}

extension URL {
  /// Whether a folder stands there.
  fileprivate var isFolder: Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && isFolder.boolValue
  }
}
