public import NibbleCheckpoints
internal import NibbleTensors
internal import Synchronization

/// SHA-256 of a model's tensors as they are stored, whatever the files that they are spread over.
///
/// A tensor's hash is that of its bytes, those of a scheme's arrays one after another. The whole's is that of one line for each
/// tensor, `NAME TYPE ROWSxCOLUMNS HASH`, sorted by name, each ended by a line feed.
public struct WeightHash: Sendable, Equatable {
  /// One tensor of the file.
  public struct Tensor: Sendable, Equatable {
    /// The name in the file's own naming.
    public var name: String
    /// 64 hexadecimal digits.
    public var hash: String
  }

  /// In file order.
  public private(set) var tensors: [Tensor]
  /// The hash of all tensors: 64 hexadecimal digits.
  public private(set) var total: String

  /// Reads all tensors once.
  ///
  /// - Throws: `JobCancelled`.
  public init(_ checkpoint: Checkpoint, _ environment: JobEnvironment = JobEnvironment()) throws {
    let records = checkpoint.tensors
    let meter = ProgressMeter(
      "hashing", total: records.reduce(0) { $0 + $1.byteCount }, environment.progress)
    let hashes = Mutex([String](repeating: "", count: records.count))
    // The largest first, so that no thread is left with one of them at the end.
    let order = records.indices.sorted {
      (records[$1].byteCount, $0) < (records[$0].byteCount, $1)
    }
    try environment.chunkLoop().run(records.count) { index, _ in
      let place = order[index]
      let hash = try Self.hash(records[place], meter, environment.cancellation)
      hashes.withLock { $0[place] = hash }
    }
    let found = hashes.withLock { $0 }
    tensors = records.indices.map { Tensor(name: records[$0].name, hash: found[$0]) }
    total = Self.total(records, found)
  }

  private static func hash(
    _ record: TensorRecord, _ meter: ProgressMeter, _ cancellation: CancellationFlag
  ) throws -> String {
    let step = 1 << 22
    var hash = ContentHash(.sha256)
    for part in record.parts {
      var start = 0
      while start < part.count {
        guard !cancellation.isCancelled else { throw JobCancelled() }
        let piece = part[start..<min(start + step, part.count)]
        piece.withUnsafeBytes { hash.update($0) }
        piece.releasePages()
        meter.add(piece.count)
        start += piece.count
      }
    }
    return hash.hexadecimalDigest()
  }

  private static func total(_ records: [TensorRecord], _ hashes: [String]) -> String {
    var lines: [(name: String, text: String)] = []
    for (record, hash) in zip(records, hashes) {
      let shape = record.shape.map(String.init).joined(separator: "x")
      lines.append((record.name, "\(record.name) \(record.type.name) \(shape) \(hash)\n"))
    }
    var hash = ContentHash(.sha256)
    lines.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    for line in lines { hash.update(line.text) }
    return hash.hexadecimalDigest()
  }
}
