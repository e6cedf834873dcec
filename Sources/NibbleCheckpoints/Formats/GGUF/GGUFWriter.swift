/// Writes a GGUF file, version 3, tensors in the order of the plans.
public final class GGUFWriter: CheckpointWriter {
  private let output: TensorOutput

  /// Writes the header and reserves room for the tensors.
  ///
  /// - Parameters:
  ///   - path: the file's final name; a file of that name is replaced when this one is whole.
  ///   - metadata: keys in the order in which they shall stand; `general.alignment` is obeyed.
  ///   - plans: tensors in file order; shapes slowest dimension first, at most four, `[]` written
  ///     as one element.
  /// - Throws: ``CheckpointError`` when GGUF cannot hold the plans or the file cannot be created.
  public init(
    path: String, metadata: Metadata, plans: [TensorPlan]
  ) throws(CheckpointError) {
    do {
      let header = try GGUFHeader(metadata: metadata, plans: plans)
      let atomic = try AtomicOutput(file: path)
      let file = try atomic.open()
      try file.reserve(byteCount: header.fileByteCount)
      try file.write(header.bytes)
      let places = plans.indices.map {
        TensorOutput.Place(
          name: plans[$0].name, file: 0, offset: header.offsets[$0],
          byteCount: header.tensorByteCounts[$0])
      }
      output = TensorOutput(output: atomic, files: [file], places: places)
    } catch {
      throw error.inFile(path)
    }
  }

  public func write(
    _ bytes: UnsafeRawBufferPointer, tensor index: Int, at offset: Int
  ) throws(CheckpointError) {
    try output.write(bytes, tensor: index, at: offset)
  }

  public func finish() throws(CheckpointError) { try output.finish() }

  public func cancel() { output.cancel() }
}
