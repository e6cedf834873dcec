internal import NibbleTensors

// The present format: a GGUF file with two F32 tensors a weight, `NAME.in_sum2` [layers, columns] and `NAME.counts`
// [layers, 1].

extension ImportanceMatrix {
  private static let sumSuffix = ".in_sum2"
  private static let countSuffix = ".counts"

  /// - Throws: ``CheckpointError`` when the file holds something else.
  init(_ checkpoint: Checkpoint) throws(CheckpointError) {
    guard checkpoint.format == .gguf else {
      throw CheckpointError(.unsupported, "is no importance matrix")
    }
    let metadata = checkpoint.metadata
    guard metadata["general.type"]?.string == "imatrix" else {
      throw CheckpointError(
        .unsupported, "is a GGUF file, but no importance matrix (general.type is not imatrix)")
    }
    self.init(
      entries: [], datasets: metadata["imatrix.datasets"]?.strings ?? [],
      windowCount: max(0, metadata["imatrix.chunk_count"]?.integer ?? 0),
      windowTokenCount: max(0, metadata["imatrix.chunk_size"]?.integer ?? 0))
    for record in checkpoint.tensors where record.name.hasSuffix(Self.sumSuffix) {
      entries.append(try Self.entry(record, checkpoint))
    }
    guard !entries.isEmpty else { throw CheckpointError(.missing, "holds no sums of squares") }
  }

  private static func entry(
    _ sums: TensorRecord, _ checkpoint: Checkpoint
  ) throws(CheckpointError) -> Entry {
    let name = String(sums.name.dropLast(sumSuffix.count))
    guard let counts = checkpoint[name + countSuffix] else {
      throw CheckpointError(.missing, "has no counts", tensor: name)
    }
    guard sums.columnCount > 0, counts.elementCount == sums.rowCount, sums.rowCount > 0 else {
      throw CheckpointError(
        .malformed, "\(counts.elementCount) counts do not fit sums of shape \(sums.shape)",
        tensor: name)
    }
    let entry = Entry(
      name: name, columnCount: sums.columnCount, squareSums: try floats(sums),
      counts: try floats(counts))
    try entry.requirePlausible()
    return entry
  }

  private static func floats(_ record: TensorRecord) throws(CheckpointError) -> [Float] {
    guard record.type == .plain(.float32) else {
      throw CheckpointError(
        .unsupported, "is stored as \(record.type.name), not F32", tensor: record.name)
    }
    return record.bytes.withUnsafeBytes { bytes in
      (0..<record.elementCount).map {
        Float(
          bitPattern: UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
      }
    }
  }

  /// Writes the file that llama.cpp reads; it appears when it is whole.
  ///
  /// - Throws: ``CheckpointError/Code/io`` when it cannot be written.
  public func write(to path: String) throws(CheckpointError) {
    var metadata = Metadata()
    metadata["general.type"] = .string("imatrix")
    metadata["imatrix.datasets"] = .strings(datasets)
    metadata["imatrix.chunk_count"] = .uint32(UInt32(clamping: windowCount))
    metadata["imatrix.chunk_size"] = .uint32(UInt32(clamping: windowTokenCount))
    let plans = entries.flatMap { entry in
      [
        TensorPlan(
          name: entry.name + Self.sumSuffix, shape: [entry.layerCount, entry.columnCount],
          type: .plain(.float32)),
        TensorPlan(
          name: entry.name + Self.countSuffix, shape: [entry.layerCount, 1], type: .plain(.float32)),
      ]
    }
    let writer = try GGUFWriter(path: path, metadata: metadata, plans: plans)
    for (index, values) in entries.flatMap({ [$0.squareSums, $0.counts] }).enumerated() {
      let bytes = values.flatMap { value in
        withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
      }
      let result = bytes.withUnsafeBytes { bytes in
        Result { () throws(CheckpointError) in try writer.write(bytes, tensor: index, at: 0) }
      }
      try result.get()
    }
    try writer.finish()
  }
}
