internal import NibbleTensors

extension ModelAnnotations {
  /// Stores a verdict in a model's files, in place of an earlier one; tensors and all else stay as they are.
  ///
  /// A GGUF file or a single safetensors file is written anew and takes the old one's place when it is whole; a folder gets a
  /// new ``fileName``.
  ///
  /// - Parameters:
  ///   - verdict: a JSON object.
  ///   - path: the model: a folder, a `.safetensors` or a `.gguf` file.
  /// - Throws: ``CheckpointError`` when the model cannot be read or written.
  public static func record(verdict: JSONValue, in path: String) throws(CheckpointError) {
    let checkpoint = try Checkpoint.open(path)
    var annotations = try checkpoint.annotations()
    annotations.verdict = verdict
    if checkpoint.format == .gguf {
      try rewriteGGUF(checkpoint.path, annotations)
    } else if let folder = try annotatedFolder(of: checkpoint) {
      let output = try AtomicOutput(file: joined(folder, fileName))
      try output.open().write(annotations.fileBytes)
      try output.commit()
    } else {
      try rewriteSafetensors(checkpoint.path, annotations)
    }
  }

  /// The folder whose ``fileName`` describes the model; nil for a file that stands alone.
  private static func annotatedFolder(
    of checkpoint: Checkpoint
  ) throws(CheckpointError) -> String? {
    if try pathKind(checkpoint.path) == .folder { return checkpoint.path }
    guard let folder = checkpoint.folder,
      !keys.contains(where: { checkpoint.fileMetadata[$0] != nil }),
      try pathKind(joined(folder, fileName)) == .file
    else { return nil }
    return folder
  }

  private static func rewriteGGUF(
    _ path: String, _ annotations: ModelAnnotations
  ) throws(CheckpointError) {
    do {
      // Of a split file the first part alone, whose keys count.
      let file = try GGUFFile(try mapFile(path))
      var metadata = file.metadata
      annotations.write(to: &metadata)
      let writer = try GGUFWriter(path: path, metadata: metadata, plans: plans(file.tensors))
      try copy(file.tensors, to: writer)
    } catch {
      throw error.inFile(path)
    }
  }

  private static func rewriteSafetensors(
    _ path: String, _ annotations: ModelAnnotations
  ) throws(CheckpointError) {
    guard path.hasSuffix(".safetensors") else {
      throw CheckpointError(
        .unsupported, "is a safetensors file of another ending and is not written anew", file: path)
    }
    do {
      let file = try SafetensorsFile(try mapFile(path))
      let writer = try SafetensorsWriter(
        path: path, plans: plans(file.tensors),
        metadata: file.metadata.merging(annotations.fileMetadata) { _, new in new })
      try copy(file.tensors, to: writer)
    } catch {
      throw error.inFile(path)
    }
  }

  private static func plans(_ tensors: [TensorRecord]) -> [TensorPlan] {
    tensors.map { TensorPlan(name: $0.name, shape: $0.shape, type: $0.type) }
  }

  /// Writes all tensors' bytes and finishes the file.
  private static func copy(
    _ tensors: [TensorRecord], to writer: any CheckpointWriter
  ) throws(CheckpointError) {
    let step = 1 << 24
    for (index, tensor) in tensors.enumerated() {
      var start = 0
      while start < tensor.bytes.count {
        let end = min(start + step, tensor.bytes.count)
        let piece = tensor.bytes[start..<end]
        try piece.withUnsafeBytes { (bytes) throws(CheckpointError) in
          try writer.write(bytes, tensor: index, at: start)
        }
        piece.releasePages()
        start = end
      }
    }
    try writer.finish()
  }
}
