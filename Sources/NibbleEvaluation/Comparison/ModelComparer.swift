internal import NibbleCheckpoints
internal import NibbleModels
public import NibbleTensors
internal import Synchronization

/// Compares models with the one that they were made from, weight by weight, whatever their formats.
///
/// All files are read side by side, tensor after tensor, a few rows at a time on all threads. The rows are cut by the shapes
/// alone and sums are merged in order, so that the figures are the same bytes for any number of threads.
public struct ModelComparer: Sendable {
  private let loop: ChunkLoop

  public init(pool: WorkerPool, cancellation: CancellationFlag = CancellationFlag()) {
    loop = ChunkLoop(pool: pool, cancellation: cancellation)
  }

  /// Compares the models at `paths` with that at `original`.
  ///
  /// Tensors are paired by their place in the model, with rows in the same order, so that Hugging Face folders and GGUF
  /// files compare. Where an architecture is not known they are paired by name.
  ///
  /// - Parameters:
  ///   - paths: the models to judge.
  ///   - original: the model that they were made from.
  ///   - onProgress: called with the original's bytes read and to read, from any thread.
  /// - Returns: one comparison for each of `paths`, in their order.
  /// - Throws: `CheckpointError` when files cannot be read, ``JobCancelled``.
  public func compare(
    _ paths: [String], against original: String,
    onProgress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
  ) throws -> ModelComparison {
    let reference = try OpenedModel(original)
    let models = try paths.map { try OpenedModel($0) }
    let plan = ComparisonPlan(reference, models)
    let meter = ByteMeter(
      total: plan.rows.reduce(0) { $0 + $1.original.origin.byteCount }, onProgress)
    var tensors = models.map { _ in [TensorDistortion]() }
    for row in plan.rows {
      let distortions = try measure(row, meter)
      for (index, distortion) in distortions.enumerated() {
        guard let distortion, let side = row.candidates[index] else { continue }
        tensors[index].append(
          TensorDistortion(
            name: row.name, shape: side.shape, role: row.role, block: row.block,
            originalType: row.original.origin.type.name, type: side.origin.type.name,
            distortion: distortion))
      }
    }
    let candidates = models.indices.map { index in
      report(models[index], tensors[index], plan, index)
    }
    var notes: [String] = []
    for note in (reference.notes + models.flatMap(\.notes)) where !notes.contains(note) {
      notes.append(note)
    }
    return ModelComparison(
      original: original, candidates: candidates, notes: notes + candidates.flatMap(Self.notes))
  }

  private func report(
    _ model: OpenedModel, _ tensors: [TensorDistortion], _ plan: ComparisonPlan, _ index: Int
  ) -> CandidateComparison {
    let records = model.checkpoint.tensors
    let byteCount = records.reduce(0) { $0 + $1.byteCount }
    let roles = WeightRole.allCases.compactMap { role -> RoleDistortion? in
      let members = tensors.filter { $0.role == role }
      return members.isEmpty ? nil : RoleDistortion(role: role, distortion: sum(members))
    }
    return CandidateComparison(
      path: model.checkpoint.path, format: model.checkpoint.format.rawValue, byteCount: byteCount,
      bitsPerWeight: SizeShare.bits(byteCount, records.reduce(0) { $0 + $1.elementCount }),
      tensors: tensors, total: sum(tensors), roles: roles, missing: plan.missing[index],
      additional: plan.additional[index], incomparable: plan.incomparable[index])
  }

  private func sum(_ tensors: [TensorDistortion]) -> Distortion {
    tensors.reduce(into: Distortion()) { $0.add($1.distortion) }
  }

  private static func notes(_ candidate: CandidateComparison) -> [String] {
    candidate.tensors.compactMap { tensor in
      let count = tensor.distortion.nonFiniteCount
      return count > 0 ? "\(candidate.path): \(tensor.name): \(count) weights are not finite" : nil
    }
  }

  /// The distortion of one tensor in each candidate; nil where it has none to compare.
  private func measure(_ row: ComparisonPlan.Row, _ meter: ByteMeter) throws -> [Distortion?] {
    let original = StoredRows(row.original.origin, columnCount: row.columnCount)
    let others = row.candidates.map { side in
      side.map { StoredRows($0.origin, columnCount: row.columnCount) }
    }
    guard others.contains(where: { $0 != nil }) else {
      meter.add(row.original.origin.byteCount)
      return others.map { _ in nil }
    }
    let spans = RowSpan.cut(
      rowCount: original.rowCount, columnCount: row.columnCount, limit: 64)
    let parts = Mutex([[Distortion]](repeating: [], count: spans.count))
    try loop.run(spans.count) { index, scratch in
      var sums = others.map { _ in Distortion() }
      for chunk in spans[index].chunks {
        try add(chunk, original, others, &sums, scratch)
        meter.add(chunk.count * original.rowByteCount)
      }
      parts.withLock { $0[index] = sums }
    }
    ([original] + others.compactMap(\.self)).forEach { $0.release() }
    var results = others.map { $0.map { _ in Distortion() } }
    for sums in parts.withLock({ $0 }) {
      for (index, sum) in sums.enumerated() { results[index]?.add(sum) }
    }
    for (index, side) in row.candidates.enumerated() {
      guard let side else { continue }
      results[index]?.setRate(
        bitsPerWeight: SizeShare.bits(side.origin.byteCount, side.origin.elementCount))
    }
    return results
  }

  private func add(
    _ chunk: Range<Int>, _ original: StoredRows, _ others: [StoredRows?],
    _ sums: inout [Distortion], _ scratch: Scratch
  ) throws {
    let weights = try original.values(chunk, scratch)
    original.release(chunk)
    for (index, other) in others.enumerated() {
      guard let other else { continue }
      let approximations = scratch.otherValues(weights.count)
      try other.decode(chunk, into: approximations, scratch)
      other.release(chunk)
      sums[index].add(Distortion(finitePairsOf: weights, approximations))
    }
  }
}

extension Distortion {
  /// Compares the pairs in which both numbers are finite, and counts the others.
  fileprivate init(
    finitePairsOf weights: UnsafeMutableBufferPointer<Float>,
    _ approximations: UnsafeMutableBufferPointer<Float>
  ) {
    let isFinite = [weights, approximations].allSatisfy { values in
      values.baseAddress.map { VectorKernels.firstNonFinite($0, count: values.count) == nil }
        ?? true
    }
    guard !isFinite else {
      self.init(UnsafeBufferPointer(weights), UnsafeBufferPointer(approximations))
      return
    }
    let kept = weights.indices.filter {
      weights[$0].isFinite && approximations[$0].isFinite
    }
    let pairs = (kept.map { weights[$0] }, kept.map { approximations[$0] })
    self = pairs.0.withUnsafeBufferPointer { first in
      pairs.1.withUnsafeBufferPointer { Distortion(first, $0) }
    }
    addNonFinite(weights.count - kept.count)
  }
}
