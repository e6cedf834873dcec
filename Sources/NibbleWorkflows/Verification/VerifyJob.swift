internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleTensors
internal import Synchronization

/// Compares a model with the one that it was made from: tensor by tensor, by what is quantized and what is not, and by what both
/// predict on a short text.
public struct VerifyJob: Sendable {
  /// The model to judge.
  public var model: String
  /// The model that it was made from, in any format.
  public var reference: String
  /// The relative error that no tensor may exceed; nil judges each by its type.
  public var maximumRelativeError: Double?
  /// Whether a missing or broken provenance, and matrices that are stored otherwise than the recipe wanted, are failures.
  public var isStrict = false
  /// Tokens that are run through both models, at least 4, or 0 for none; nil runs ``LogitCheck/usualTokenCount`` where both models
  /// can be run and their tensors hold.
  public var logitTokenCount: Int?
  /// The mean divergence that is not to be exceeded, in nats; nil takes half of ln(vocabulary).
  public var maximumDivergence: Double?
  /// Whether what is found is stored in the model's files.
  public var recordsVerdict = false

  public init(model: String, reference: String) {
    self.model = model
    self.reference = reference
  }

  /// Decodes both models and compares them.
  ///
  /// - Throws: `CheckpointError` or `ModelError` for the files, ``RecipeError`` for the request, ``JobCancelled``.
  public func run(_ environment: JobEnvironment = JobEnvironment()) throws -> VerifyReport {
    let start = ContinuousClock.now
    if let logitTokenCount, logitTokenCount != 0, logitTokenCount < 4 {
      throw RecipeError("a comparison of logits needs at least 4 tokens")
    }
    let judged = try ModelSource.open(model)
    let original = try ModelSource.open(reference)
    var report = VerifyReport(model: model, reference: reference)
    readProvenance(of: judged, &report)
    var pairing = TensorPairing(judged.mapped(to: .gguf), original.mapped(to: .gguf))
    if report.provenance?.hasScaledChannels == true, original.config != nil {
      pairing.scale(by: try ScalingEstimate(pairing.pairs).run(original), of: original)
    }
    report.failures += pairing.failures
    report.tensors = try compare(pairing.pairs, environment)
    report.failures += report.tensors.compactMap { tensor in
      tensor.failure.map { "\(tensor.name): \($0)" }
    }
    try hash(judged, original, environment, &report)
    audit(judged, original, &report)
    try compareLogits(judged, original, environment, &report)
    report.seconds = (.now - start) / .seconds(1)
    if recordsVerdict { try ModelAnnotations.record(verdict: report.verdict, in: model) }
    return report
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
        isScaled: pair.reference.factors != nil,
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
