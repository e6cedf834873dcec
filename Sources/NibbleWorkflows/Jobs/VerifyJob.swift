internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleTensors
internal import Synchronization

/// Compares a model with the one that it was made from, tensor by tensor.
public struct VerifyJob: Sendable {
  /// The model to judge.
  public var model: String
  /// The model that it was made from, in any format.
  public var reference: String
  /// The relative error that no tensor may exceed; nil judges each by its type.
  public var maximumRelativeError: Double?

  public init(model: String, reference: String) {
    self.model = model
    self.reference = reference
  }

  /// Decodes both models and compares them.
  ///
  /// - Throws: `CheckpointError` or `ModelError` for the files, ``JobCancelled``.
  public func run(_ environment: JobEnvironment = JobEnvironment()) throws -> VerifyReport {
    let start = ContinuousClock.now
    let judged = try ModelSource.open(model)
    let original = try ModelSource.open(reference)
    let pairing = TensorPairing(judged.mapped(to: .gguf), original.mapped(to: .gguf))
    let tensors = try compare(pairing.pairs, environment)
    let failures =
      pairing.failures
      + tensors.compactMap { tensor in tensor.failure.map { "\(tensor.name): \($0)" } }
    return VerifyReport(
      tensors: tensors, failures: failures, seconds: (.now - start) / .seconds(1))
  }

  private struct ChunkResult {
    var difference: SquaredDifference
    var fault: String?
  }

  private func compare(
    _ pairs: [TensorPairing.Pair], _ environment: JobEnvironment
  ) throws -> [ComparedTensor] {
    let chunks = RowChunk.cut(pairs.map(\.reference))
    let results = Mutex([ChunkResult?](repeating: nil, count: chunks.count))
    let meter = ProgressMeter(
      "verifying", total: ProgressMeter.byteCount(pairs.map(\.reference)), environment.progress)
    let pages = ChunkCount(pairs.map(\.reference), chunks)
    try environment.chunkLoop().run(chunks.count) { index, scratch in
      let chunk = chunks[index]
      let pair = pairs[chunk.task]
      let result = try compare(pair, chunk.rows, scratch)
      results.withLock { $0[index] = result }
      for task in [pair.judged, pair.reference] {
        task.releaseSource(chunk.rows)
      }
      if pages.finish(chunk) {
        pair.judged.releaseSource()
        pair.reference.releaseSource()
      }
      meter.add(chunk.rows.count * pair.reference.sourceRowByteCount)
    }
    var sums = pairs.map { _ in SquaredDifference() }
    var faults = [String?](repeating: nil, count: pairs.count)
    for (chunk, result) in zip(chunks, results.withLock { $0 }) {
      guard let result else { continue }
      sums[chunk.task].add(result.difference)
      if faults[chunk.task] == nil { faults[chunk.task] = result.fault }
    }
    return pairs.indices.map { index in
      let pair = pairs[index]
      let error = sums[index].relativeError
      return ComparedTensor(
        name: pair.judged.name, shape: pair.judged.shape, type: pair.judged.sourceType,
        referenceType: pair.reference.sourceType, relativeError: error,
        failure: faults[index] ?? excess(error, pair.judged.sourceType))
    }
  }

  private func compare(
    _ pair: TensorPairing.Pair, _ rows: Range<Int>, _ scratch: Scratch
  ) throws(CheckpointError) -> ChunkResult {
    let decoded = try pair.judged.sourceValues(rows, scratch)
    let judged = scratch.otherValues(decoded.count)
    _ = judged.update(fromContentsOf: decoded)
    let original = try pair.reference.sourceValues(rows, scratch)
    var fault: String?
    do {
      try pair.judged.requireFinite(judged, firstRow: rows.lowerBound)
    } catch {
      fault = error.message
    }
    return ChunkResult(difference: SquaredDifference(original, judged), fault: fault)
  }

  private func excess(_ error: Double, _ type: StoredType) -> String? {
    let limit = maximumRelativeError ?? ErrorCeiling.relativeError(of: type)
    return error <= limit
      ? nil : "relative error \(error) is above \(limit), the most for \(type.name)"
  }
}

/// The tensors that two models share, by their names in GGUF files, and what either lacks.
struct TensorPairing {
  struct Pair {
    var judged: TensorTask
    var reference: TensorTask
  }

  private(set) var pairs: [Pair] = []
  private(set) var failures: [String] = []

  init(_ judged: [MappedTensor], _ reference: [MappedTensor]) {
    var rest = Dictionary(
      reference.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for tensor in judged.sorted(by: { ggufOrder($0.name) < ggufOrder($1.name) }) {
      guard let original = rest.removeValue(forKey: tensor.name) else {
        failures.append("\(tensor.name) is not in the reference")
        continue
      }
      guard tensor.shape == original.shape else {
        failures.append(
          "\(tensor.name) has shape \(tensor.shape), the reference's is \(original.shape)")
        continue
      }
      guard RowCodec.canDecode(tensor.type), RowCodec.canDecode(original.type) else {
        failures.append("\(tensor.name) cannot be decoded from \(tensor.type.name)")
        continue
      }
      let pair = Pair(
        judged: TensorTask(tensor, type: tensor.type, reason: nil),
        reference: TensorTask(original, type: original.type, reason: nil))
      guard pair.judged.columnCount == pair.reference.columnCount else {
        failures.append("\(tensor.name) is a vector of \(tensor.type.name) blocks")
        continue
      }
      pairs.append(pair)
    }
    for name in rest.keys.sorted(by: { ggufOrder($0) < ggufOrder($1) }) {
      failures.append("\(name) is missing")
    }
  }
}
