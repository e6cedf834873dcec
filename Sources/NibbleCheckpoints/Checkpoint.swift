internal import NibbleTensors

/// The file format of a checkpoint.
public enum CheckpointFormat: String, Sendable {
  case safetensors, gguf
}

/// A model's tensors and descriptions as they stand on disk; nothing is interpreted and no tensor
/// is copied.
///
/// The files are mapped: tensor bytes come from the disk when they are touched, and must not change
/// meanwhile.
public struct Checkpoint: Sendable {
  /// The path as the caller gave it.
  public let path: String
  public let format: CheckpointFormat
  /// In file order; the shards of a Hugging Face folder in the order of their names.
  public let tensors: [TensorRecord]
  /// The keys of a GGUF file; empty for safetensors.
  public let metadata: Metadata
  /// Oddities that the user should hear of, one line each.
  public let notes: [String]

  /// Where companion files are; nil for GGUF.
  let folder: String?
  /// The `__metadata__` of a single safetensors file; empty for others.
  package let fileMetadata: [String: String]
  private let places: [String: Int]

  /// Gathers what a reader found; the names of `tensors` must be unique.
  package init(
    path: String, format: CheckpointFormat, tensors: [TensorRecord], metadata: Metadata,
    notes: [String], folder: String?, fileMetadata: [String: String] = [:]
  ) {
    self.path = path
    self.format = format
    self.tensors = tensors
    self.metadata = metadata
    self.notes = notes
    self.folder = folder
    self.fileMetadata = fileMetadata
    places = Dictionary(
      tensors.indices.map { (tensors[$0].name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The tensor of that name.
  public subscript(name: String) -> TensorRecord? { places[name].map { tensors[$0] } }

  /// Reads a companion file of a Hugging Face checkpoint as JSON, for example `config.json`.
  ///
  /// - Returns: nil when there is no such file, and always for GGUF.
  /// - Throws: ``CheckpointError`` when the file cannot be read or is no JSON.
  public func json(_ fileName: String) throws(CheckpointError) -> JSONValue? {
    guard let (path, view) = try companion(fileName) else { return nil }
    do {
      return try parseJSON(view)
    } catch {
      throw error.inFile(path)
    }
  }

  /// Reads a companion file of a Hugging Face checkpoint as text, for example
  /// `chat_template.jinja`.
  ///
  /// - Returns: nil when there is no such file, and always for GGUF.
  /// - Throws: ``CheckpointError`` when the file cannot be read or is not UTF-8.
  public func text(_ fileName: String) throws(CheckpointError) -> String? {
    guard let (path, view) = try companion(fileName) else { return nil }
    let text = view.withUnsafeBytes { String(exactly: $0) }
    guard let text else { throw CheckpointError(.malformed, "is not UTF-8", file: path) }
    return text
  }

  private func companion(
    _ fileName: String
  ) throws(CheckpointError) -> (path: String, view: ByteView)? {
    guard let folder else { return nil }
    let path = joined(folder, fileName)
    guard try pathKind(path) != .nothing else { return nil }
    return (path, try mapFile(path))
  }
}
