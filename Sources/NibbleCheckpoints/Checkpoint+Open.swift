internal import NibbleTensors

extension Checkpoint {
  /// Opens a Hugging Face folder, a `.safetensors` file or a `.gguf` file; the content decides
  /// which it is.
  ///
  /// - Throws: ``CheckpointError`` whose description names the file and the reason. PyTorch
  ///   pickles are refused, because reading them runs code.
  public static func open(_ path: String) throws(CheckpointError) -> Checkpoint {
    switch try pathKind(path) {
    case .folder: try openFolder(path).gathered()
    case .nothing: throw CheckpointError(.missing, "there is no such file or folder", file: path)
    case .file, .other: try openFile(path, at: path).gathered()
    }
  }

  /// Opens the file `file`; `path` is what the user named.
  private static func openFile(
    _ path: String, at file: String, notes: [String] = []
  ) throws(CheckpointError) -> Checkpoint {
    let view = try mapFile(file)
    switch FileKind(view, name: file) {
    case .safetensors: return try openSafetensors(path, file: file, view, notes: notes)
    case .gguf: return try openGGUF(file, view)
    case .pickle: throw pickleFault(file)
    case .largeFilePointer:
      throw CheckpointError(
        .unsupported, "is a Git LFS pointer, not the file itself; fetch it with \"git lfs pull\"",
        file: file)
    case .unknown:
      throw CheckpointError(
        .unsupported,
        view.count == 0 ? "is empty" : "is neither a safetensors nor a GGUF file", file: file)
    }
  }

  private static func openFolder(_ path: String) throws(CheckpointError) -> Checkpoint {
    let entries = try folderEntries(path)
    func names(endingWith ending: String) -> [String] { entries.filter { $0.hasSuffix(ending) } }

    let indexes = names(endingWith: ".safetensors.index.json")
    if let index = chosen(among: indexes, preferring: "model.safetensors.index.json") {
      return try openSharded(path, folder: path, indexName: index)
    }
    let files = names(endingWith: ".safetensors")
    if let file = chosen(among: files, preferring: "model.safetensors") {
      let notes = files.count == 1 ? [] : ["\(path): only \(file) is read"]
      return try openFile(path, at: joined(path, file), notes: notes)
    }
    if files.count > 1 {
      throw CheckpointError(
        .missing,
        "holds \(files.count) safetensors files but neither model.safetensors nor an index; "
          + "name one file", file: path)
    }
    let models = names(endingWith: ".gguf")
    if models.count == 1 { return try openFile(path, at: joined(path, models[0])) }
    if models.count > 1 {
      throw CheckpointError(
        .missing, "holds \(models.count) GGUF files; name one, such as \(models[0])", file: path)
    }
    if let pickle = entries.first(where: FileKind.hasPickleName) {
      throw pickleFault(joined(path, pickle))
    }
    throw CheckpointError(
      .missing,
      entries.contains("config.json")
        ? "has a config.json but no safetensors file" : "holds no safetensors or GGUF file",
      file: path)
  }

  /// The preferred name, or the only one.
  private static func chosen(among names: [String], preferring name: String) -> String? {
    if names.contains(name) { return name }
    return names.count == 1 ? names[0] : nil
  }

  private static func pickleFault(_ file: String) -> CheckpointError {
    CheckpointError(
      .unsupported,
      "PyTorch pickle checkpoint \(printable(file)) is not supported (it can run code); "
        + "convert it to safetensors first")
  }
}
