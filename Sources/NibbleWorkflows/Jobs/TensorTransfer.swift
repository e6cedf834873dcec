internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleTensors
internal import Synchronization

/// Streams every task's rows from the source through the encoder to a writer.
struct TensorTransfer {
  let tasks: [TensorTask]
  let chunks: [RowChunk]
  let loop: ChunkLoop
  let progress: any ProgressReporter

  init(_ tasks: [TensorTask], loop: ChunkLoop, progress: any ProgressReporter) {
    self.tasks = tasks
    self.loop = loop
    self.progress = progress
    chunks = RowChunk.cut(tasks)
  }

  /// Writes all tensors; memory stays at a few chunks a thread, whatever the model's size.
  ///
  /// - Parameters:
  ///   - writer: takes the bytes.
  ///   - phase: what to call this in reports of progress.
  ///   - written: hashes of the chunks that were written before, by index.
  /// - Returns: what was written for each chunk.
  /// - Throws: ``CheckpointError/Code/invalidValue`` for the first NaN or infinity in the source, the writer's errors, and
  ///   ``JobCancelled``.
  func write(
    to writer: any CheckpointWriter, phase: String, written: [Int: ByteHash] = [:]
  ) throws -> [WrittenChunk] {
    let results = Mutex(chunks.indices.map { written[$0].map { WrittenChunk(bytes: $0) } })
    let pages = ChunkCount(tasks, chunks)
    let meter = ProgressMeter(phase, total: ProgressMeter.byteCount(tasks), progress)
    try loop.run(chunks.count) { index, scratch in
      let chunk = chunks[index]
      let task = tasks[chunk.task]
      if written[index] == nil {
        let result = try transfer(chunk, task, to: writer, scratch)
        results.withLock { $0[index] = result }
      }
      if pages.finish(chunk) { task.releaseSource() } else { task.releaseSource(chunk.rows) }
      meter.add(chunk.rows.count * task.sourceRowByteCount)
    }
    return results.withLock { $0.compactMap { $0 } }
  }

  private func transfer(
    _ chunk: RowChunk, _ task: TensorTask, to writer: any CheckpointWriter, _ scratch: Scratch
  ) throws(CheckpointError) -> WrittenChunk {
    guard task.isRepacked else {
      return WrittenChunk(bytes: try encode(chunk, task, to: writer, scratch))
    }
    let (tensor, isExact) = try task.repackedTensor(chunk.rows)
    return WrittenChunk(
      bytes: try write(try task.packed(tensor, chunk.rows), chunk, to: writer),
      tensor: WrittenChunk.RepackedTensor(hash: TensorHash(tensor), isExact: isExact))
  }

  private func encode(
    _ chunk: RowChunk, _ task: TensorTask, to writer: any CheckpointWriter, _ scratch: Scratch
  ) throws(CheckpointError) -> ByteHash {
    let offset = chunk.rows.lowerBound * task.rowByteCount
    var hash = ByteHash(UnsafeRawBufferPointer(start: nil, count: 0))
    if RowCodec.canDecode(task.sourceType) {
      let values = try task.sourceValues(chunk.rows, scratch)
      try task.requireFinite(values, firstRow: chunk.rows.lowerBound)
      if let scheme = task.groupedScheme, !task.isCopy {
        return try write(try task.quantize(values, chunk.rows, as: scheme), chunk, to: writer)
      }
      if !task.isCopy {
        let bytes = scratch.bytes(chunk.rows.count * task.rowByteCount)
        try RowCodec.encode(task.type, values, columnCount: task.columnCount, into: bytes)
        hash = ByteHash(UnsafeRawBufferPointer(bytes))
        try writer.write(UnsafeRawBufferPointer(bytes), tensor: chunk.task, at: offset)
        return hash
      }
    }
    if case .stored(let origin) = task.origin, case .scheme(let scheme) = task.type,
      origin.order == .same, let record = origin.records.first, origin.records.count == 1
    {
      return try write(task.pieces(of: record, scheme, chunk.rows), chunk, to: writer)
    }
    try task.withSourceBytes(chunk.rows, scratch) { (bytes) throws(CheckpointError) in
      hash = ByteHash(bytes)
      try writer.write(bytes, tensor: chunk.task, at: offset)
    }
    return hash
  }
}

extension TensorTransfer {
  private func write(
    _ pieces: [ArrayPiece], _ chunk: RowChunk, to writer: any CheckpointWriter
  ) throws(CheckpointError) -> ByteHash {
    for piece in pieces {
      try piece.bytes.withUnsafeBytes { (bytes) throws(CheckpointError) in
        try writer.write(bytes, tensor: chunk.task, at: piece.offset)
      }
    }
    return pieces.hash
  }
}

extension TensorTask {
  /// Whether the output holds the source's bytes as they are.
  var isCopy: Bool {
    guard case .stored(let origin) = origin, factors == nil else { return false }
    guard type == sourceType, origin.keepsBytes, !isRepacked else { return false }
    // Arrays of other tools are written anew.
    return folderFormat == nil && origin.records.allSatisfy { $0.layout == nil }
  }
}

/// Counts down the chunks of each task, to know when a task is done.
final class ChunkCount: Sendable {
  private let remaining: Mutex<[Int]>

  init(_ tasks: [TensorTask], _ chunks: [RowChunk]) {
    var counts = [Int](repeating: 0, count: tasks.count)
    for chunk in chunks { counts[chunk.task] += 1 }
    remaining = Mutex(counts)
  }

  /// Notes that a chunk is done; true for the last one of its task.
  func finish(_ chunk: RowChunk) -> Bool {
    remaining.withLock { counts in
      counts[chunk.task] -= 1
      return counts[chunk.task] == 0
    }
  }
}

/// Adds up the bytes that threads have done and reports the sum.
final class ProgressMeter: Sendable {
  private let phase: String
  private let total: Int
  private let reporter: any ProgressReporter
  private let done = Mutex(0)

  init(_ phase: String, total: Int, _ reporter: any ProgressReporter) {
    self.phase = phase
    self.total = total
    self.reporter = reporter
    reporter.report(JobProgress(phase: phase, completed: 0, total: total, unit: .bytes))
  }

  /// Bytes of all sources together.
  static func byteCount(_ tasks: [TensorTask]) -> Int {
    tasks.reduce(0) { $0 + $1.rowCount * $1.sourceRowByteCount }
  }

  func add(_ byteCount: Int) {
    // Reporting under the lock keeps the reported sums ascending.
    done.withLock { sum in
      sum += byteCount
      reporter.report(JobProgress(phase: phase, completed: sum, total: total, unit: .bytes))
    }
  }
}
