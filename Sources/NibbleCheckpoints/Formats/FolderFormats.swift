/// The formats of Hugging Face folders whose quantized weights other tools arrange.
enum FolderFormats {
  private static let all: [any FolderFormat.Type] = [
    GPTQFormat.self, AWQFormat.self, AutoRoundFormat.self, BitsAndBytesFormat.self,
    CompressedTensorsFormat.self, Float8Format.self, MLXFormat.self, HQQFormat.self,
  ]

  /// The format that a folder's configuration announces.
  ///
  /// - Returns: nil for folders of plain weights, and for Nibble's own, whose files tell by themselves.
  /// - Throws: ``CheckpointError`` for broken settings, and for tools whose arrangement is not known.
  static func announced(
    by file: (String) throws(CheckpointError) -> JSONValue?
  ) throws(CheckpointError) -> (any FolderFormat)? {
    for format in all {
      if let found = try format.announced(by: file) { return found }
    }
    let method = try file("config.json")?["quantization_config"]?["quant_method"]?.string
    guard let method, method != "nibble" else { return nil }
    throw CheckpointError(
      .unsupported,
      "its weights are quantized by \"\(printable(method))\", which is none of "
        + all.map { $0.name }.joined(separator: ", "), file: "config.json")
  }
}

extension Checkpoint {
  /// The checkpoint with the arrays of each matrix put together that its folder's configuration says are quantized.
  func gathered() throws(CheckpointError) -> Checkpoint {
    guard format == .safetensors else { return self }
    do {
      // A broken file announces nothing; whoever needs it will say so.
      let found = try FolderFormats.announced { name throws(CheckpointError) in
        (try? json(name)) ?? nil
      }
      guard let found else { return self }
      let (tensors, notes) = try found.gather(self.tensors)
      return Checkpoint(
        path: path, format: format, tensors: tensors, metadata: metadata,
        notes: self.notes + notes, folder: folder, fileMetadata: fileMetadata)
    } catch {
      throw error.inFile(path)
    }
  }
}
