internal import Foundation
package import NibbleTensors

/// Runs many windows of tokens through a model, all of them through one block before the next, and shows an observer the
/// input of every layer.
///
/// Each window is a sequence of its own from position 0. Windows are taken together in batches of fixed size, in order, so
/// that nothing depends on the number of threads or on where hidden states are kept.
package final class BlockwiseRun {
  /// How a run goes.
  package struct Plan: Sendable {
    /// Whether the observer may replace the weights of each stage before the run goes on.
    package var isReplacing = false
    /// Whether the stream of the model's own weights is run beside that of the replaced ones.
    package var keepsOriginal = true
    /// Bytes of hidden states that are kept in memory; more are kept in a temporary file.
    package var memoryLimit = Int.max
    /// Where the temporary file is made.
    package var spillFolder = NSTemporaryDirectory()
    /// Tokens of a batch, rounded up to whole windows.
    package var batchTokenCount = 2048

    package init() {}
  }

  /// Blocks of the model.
  package var blockCount: Int { model.config.blockCount }
  /// For each block with a mixture, the tokens that each expert saw.
  package private(set) var expertTokenCounts: [Int: [Int]] = [:]
  /// The most bytes of hidden states that were kept, and how many of them lay in the temporary file.
  package var keptByteCounts: (all: Int, file: Int) {
    (batches.store.peakByteCount, batches.store.spilledByteCount)
  }

  private let model: LanguageModel
  private let plan: Plan
  private let batches: BatchLoop
  private var x: StreamPair?
  private var nextBlock = 0

  /// - Parameters:
  ///   - model: whose weights to use.
  ///   - windows: token ids, as many in each.
  ///   - plan: how the run goes.
  ///   - pool: the threads that share the work.
  ///   - cancellation: stops the run between batches.
  /// - Throws: ``ModelError/Code/request`` for windows that the model cannot run.
  package init(
    _ model: LanguageModel, windows: [[Int]], plan: Plan, pool: WorkerPool,
    cancellation: CancellationFlag = CancellationFlag()
  ) throws(ModelError) {
    guard let first = windows.first, !first.isEmpty else {
      throw ModelError(.request, "there are no tokens to run")
    }
    guard windows.allSatisfy({ $0.count == first.count }) else {
      throw ModelError(.request, "the windows have different numbers of tokens")
    }
    guard model.config.rope != nil || first.count <= model.config.contextCount else {
      throw ModelError(
        .request,
        "the model knows \(model.config.contextCount) positions; windows of \(first.count) are longer"
      )
    }
    let vocabulary = 0..<model.config.vocabularyCount
    if let stranger = windows.joined().first(where: { !vocabulary.contains($0) }) {
      throw ModelError(.request, "the token \(stranger) is not in the vocabulary")
    }
    self.model = model
    self.plan = plan
    batches = BatchLoop(model, windows: windows, plan, pool, cancellation)
  }

  /// Runs all windows through the next block.
  ///
  /// - Returns: false when there was none left.
  /// - Throws: what the observer throws, `JobCancelled`, `FileError` for the temporary file, or ``ModelError`` for
  ///   replacements of another shape.
  package func runNextBlock(_ observer: any CalibrationObserver) throws -> Bool {
    guard nextBlock < blockCount else { return false }
    try runNextBlock(model.architecture, .asking(observer))
    nextBlock += 1
    return true
  }

  /// Runs all windows through the next block with weights that an earlier run found for it, and shows them to nobody.
  ///
  /// The block's result has the bits that it had in that run.
  ///
  /// - Parameter weights: what an observer gave for the block's layers.
  /// - Returns: false when there was no block left.
  /// - Throws: `JobCancelled`, `FileError` for the temporary file, or ``ModelError`` for weights of another shape.
  package func runNextBlock(with weights: [TensorID: ReplacementWeights]) throws -> Bool {
    guard nextBlock < blockCount else { return false }
    try runNextBlock(model.architecture, .known(weights))
    nextBlock += 1
    return true
  }

  private func runNextBlock(
    _ architecture: some Architecture, _ source: CalibrationBackend.ReplacementSource
  ) throws {
    let backend = CalibrationBackend(model, plan, batches, source, block: nextBlock)
    let start = x ?? architecture.embed([], on: backend)
    x = nil
    let result = architecture.block(nextBlock, start, on: backend)
    if let failure = backend.failure { throw failure }
    let steps = [result.first.step, result.second?.step].filter { $0?.canBeStored ?? false }
    try batches.run(keeping: steps) { run in
      _ = try run.value(result.first)
      if let second = result.second { _ = try run.value(second) }
    }
    if !plan.isReplacing, case .asking(let observer) = source {
      for stage in backend.stages { _ = try observer.finish(stage) }
    }
    if let counts = backend.expertTokenCounts { expertTokenCounts[nextBlock] = counts }
    x = result
  }
}

/// The loop over a run's batches, and the memory that it uses.
final class BatchLoop {
  let store: HiddenStateStore
  private let windows: [[Int]]
  private let batches: [Range<Int>]
  private let cpu: CPUBackend
  private let cancellation: CancellationFlag

  init(
    _ model: LanguageModel, windows: [[Int]], _ plan: BlockwiseRun.Plan, _ pool: WorkerPool,
    _ cancellation: CancellationFlag
  ) {
    self.windows = windows
    self.cancellation = cancellation
    let length = windows[0].count
    let batchCount = max(1, (plan.batchTokenCount + length - 1) / length)
    batches = stride(from: 0, to: windows.count, by: batchCount).map {
      $0..<min($0 + batchCount, windows.count)
    }
    store = HiddenStateStore(memoryLimit: plan.memoryLimit, folder: plan.spillFolder)
    cpu = CPUBackend(
      model: model, sequenceTokenCount: length,
      runTokenCount: min(batchCount, windows.count) * length, pool: pool)
  }

  func tokens(ofBatch batch: Int) -> [Int] { Array(windows[batches[batch]].joined()) }

  /// Calls `body` for each batch in order, and keeps the results of `steps`, which `body` has computed or which are
  /// computed then.
  ///
  /// - Throws: what `body` throws, `FileError`, or `JobCancelled`.
  func run(keeping steps: [DeferredStep?], _ body: (BatchRun) throws -> Void) throws {
    let steps = steps.compactMap(\.self).reduce(into: [DeferredStep]()) { steps, step in
      if !steps.contains(where: { $0 === step }) { steps.append(step) }
    }
    var kept: [[StoredActivations]] = steps.map { _ in [] }
    for batch in batches.indices {
      guard !cancellation.isCancelled else { throw JobCancelled() }
      let run = BatchRun(batch: batch, cpu: cpu)
      try body(run)
      for (index, step) in steps.enumerated() {
        kept[index].append(try store.keep(run.results(of: step)[0]))
      }
    }
    for (index, step) in steps.enumerated() { step.settle(kept[index]) }
  }
}
