internal import NibbleTensors

extension Checkpoint {
  /// Opens a GGUF file, or all parts of a split one through the first.
  static func openGGUF(_ path: String, _ view: ByteView) throws(CheckpointError) -> Checkpoint {
    let first: GGUFFile
    do {
      first = try GGUFFile(view)
    } catch {
      throw error.inFile(path)
    }
    let others = try GGUFSplits.remaining(after: first, path: path)
    var notes: [String] = []
    var tensors: [TensorRecord] = []
    var names: Set<String> = []
    for (partPath, part) in [(path, first)] + others {
      for tensor in part.tensors {
        guard names.insert(tensor.name).inserted else {
          throw CheckpointError(
            .malformed, "stands in two parts", file: partPath, tensor: tensor.name)
        }
        tensors.append(tensor)
      }
      if part.trailingByteCount > 0 {
        notes.append("\(partPath): \(part.trailingByteCount) bytes after the last tensor ignored")
      }
    }
    var metadata = first.metadata
    if !others.isEmpty {
      if let total = metadata["split.tensors.count"]?.integer, total != tensors.count {
        throw CheckpointError(
          .malformed, "promises \(total) tensors, but the parts hold \(tensors.count)", file: path)
      }
      for key in ["split.no", "split.count", "split.tensors.count"] { metadata[key] = nil }
    }
    return Checkpoint(
      path: path, format: .gguf, tensors: tensors, metadata: metadata, notes: notes, folder: nil)
  }
}
