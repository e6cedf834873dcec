internal import NibbleCheckpoints
internal import NibbleQuantization
internal import NibbleTensors
internal import Synchronization

/// Reopens what a job wrote and compares it with the source, value by value.
struct OutputVerification {
  let tasks: [TensorTask]
  let chunks: [RowChunk]
  let loop: ChunkLoop
  let progress: any ProgressReporter

  /// What the comparison found.
  struct Finding {
    /// ‖W − Ŵ‖² / ‖W‖² of each task; nil where the values are no numbers that decode.
    var relativeErrors: [Double?]
    /// What does not hold, in words; empty when the output is what was meant.
    var failures: [String]
  }

  init(_ transfer: TensorTransfer) {
    tasks = transfer.tasks
    chunks = transfer.chunks
    loop = transfer.loop
    progress = transfer.progress
  }

  /// Checks that the file at `path` holds exactly the bytes that the encoder made, that all values decode to finite
  /// numbers, and how far they are from the source's.
  ///
  /// - Parameters:
  ///   - path: the output, under its final name.
  ///   - written: of each chunk, what ``TensorTransfer/write(to:phase:written:)`` returned.
  /// - Returns: what differs, and each tensor's relative error.
  /// - Throws: `CheckpointError` when the file cannot be read, ``JobCancelled``.
  func run(path: String, written: [WrittenChunk]) throws -> Finding {
    let checkpoint = try Checkpoint.open(path)
    var failures: [String] = []
    let records = match(checkpoint.tensors, &failures)
    guard failures.isEmpty else {
      return Finding(relativeErrors: tasks.map { _ in nil }, failures: failures)
    }
    let results = Mutex([ChunkResult?](repeating: nil, count: chunks.count))
    let pages = ChunkCount(tasks, chunks)
    let meter = ProgressMeter("verifying", total: ProgressMeter.byteCount(tasks), progress)
    try loop.run(chunks.count) { index, scratch in
      let chunk = chunks[index]
      let task = tasks[chunk.task]
      let record = records[chunk.task]
      let result = try compare(chunk, task, record, written[index], scratch)
      results.withLock { $0[index] = result }
      if pages.finish(chunk) {
        task.releaseSource()
        record.releasePages()
      } else {
        task.releaseSource(chunk.rows)
      }
      meter.add(chunk.rows.count * task.sourceRowByteCount)
    }
    return summary(results.withLock { $0 })
  }

  /// The output's records in the tasks' order.
  private func match(_ records: [TensorRecord], _ failures: inout [String]) -> [TensorRecord] {
    let byName = Dictionary(records.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    if records.count != tasks.count {
      failures.append("the file holds \(records.count) tensors instead of \(tasks.count)")
    }
    return tasks.compactMap { task in
      guard let record = byName[task.name] else {
        failures.append("\(task.name) is missing in the file")
        return nil
      }
      if record.shape != task.shape || record.type != task.type {
        failures.append("\(task.name) has another shape or type in the file")
      }
      return record
    }
  }

  private struct ChunkResult {
    var difference = SquaredDifference()
    var hasSameBytes: Bool
    var isFinite = true
  }

  private func compare(
    _ chunk: RowChunk, _ task: TensorTask, _ record: TensorRecord, _ meant: WrittenChunk,
    _ scratch: Scratch
  ) throws(CheckpointError) -> ChunkResult {
    var result = ChunkResult(hasSameBytes: storedHash(chunk, task, record) == meant.bytes)
    // The source's own bytes, whose values were looked at before they were written.
    if task.isCopy, result.hasSameBytes { return result }
    if let tensor = meant.tensor {
      // Equal codes and scales need no floats.
      let written = try record.quantizedTensor(rows: chunk.rows)
      result.hasSameBytes = result.hasSameBytes && TensorHash(written) == tensor.hash
      if tensor.isExact {
        result.isFinite = written.scales.values().allSatisfy(\.isFinite)
        return result
      }
    }
    guard RowCodec.canDecode(task.type), RowCodec.canDecode(task.sourceType) else { return result }
    let written = scratch.otherValues(chunk.rows.count * task.columnCount)
    if case .scheme = task.type {
      let rows = try record.schemeRows()
      if let target = written.baseAddress { rows.decode(chunk.rows, into: target) }
    } else {
      let view = record.bytes[byteRange(chunk, task)]
      try view.withUnsafeBytes { (bytes) throws(CheckpointError) in
        try RowCodec.decode(task.type, bytes, into: written)
      }
      view.releasePages()
    }
    result.isFinite = firstNonFinite(written) == nil
    let source = try task.sourceValues(chunk.rows, scratch)
    result.difference = SquaredDifference(source, written)
    return result
  }

  private func byteRange(_ chunk: RowChunk, _ task: TensorTask) -> Range<Int> {
    chunk.rows.lowerBound * task.rowByteCount..<chunk.rows.upperBound * task.rowByteCount
  }

  private func storedHash(
    _ chunk: RowChunk, _ task: TensorTask, _ record: TensorRecord
  ) -> ByteHash {
    if case .scheme(let scheme) = task.type {
      return task.pieces(of: record, scheme, chunk.rows).hash
    }
    return record.bytes[byteRange(chunk, task)].withUnsafeBytes { ByteHash($0) }
  }

  /// Adds up the chunks in order, so that the sums are the same for any number of threads.
  private func summary(_ results: [ChunkResult?]) -> Finding {
    var sums = tasks.map { _ in SquaredDifference() }
    var failures: [String] = []
    for (chunk, result) in zip(chunks, results) {
      guard let result else { continue }
      sums[chunk.task].add(result.difference)
      let rows = "\(tasks[chunk.task].name), rows \(chunk.rows)"
      if !result.hasSameBytes {
        failures.append("\(rows): the file's bytes are not what was written")
      }
      if !result.isFinite { failures.append("\(rows): a decoded value is not finite") }
    }
    let errors = zip(tasks, sums).map { task, sum -> Double? in
      RowCodec.canDecode(task.type) && RowCodec.canDecode(task.sourceType) ? sum.relativeError : nil
    }
    for (task, error) in zip(tasks, errors) {
      // An encoder that is worth its name beats a tensor of zeros, whose error is 1.
      if let error, !(error < 1) {
        failures.append("\(task.name): the relative error \(error) is that of lost data")
      }
    }
    return Finding(relativeErrors: errors, failures: failures)
  }
}
