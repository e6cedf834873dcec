/// A step of a forward pass that is computed batch by batch, when its result is wanted.
///
/// Steps hold on to the steps that they are computed from. Once the results of all batches are kept, a step lets go of
/// these, and their memory returns.
final class DeferredStep {
  private var compute: ((BatchRun) throws -> [Activations])?
  /// The value that this one is computed from row by row and cheaply, where there is one only.
  private(set) var source: DeferredValue?
  private var stored: [StoredActivations] = []
  private let resultCount: Int

  init(
    resultCount: Int, from source: DeferredValue? = nil,
    _ compute: @escaping (BatchRun) throws -> [Activations]
  ) {
    self.resultCount = resultCount
    self.source = source
    self.compute = compute
  }

  /// Whether the step has one result, which can be kept.
  var canBeStored: Bool { resultCount == 1 && !isStored }

  /// Whether the results of all batches are kept.
  var isStored: Bool { compute == nil }

  /// The results for the run's batch.
  fileprivate func results(_ run: BatchRun) throws -> [Activations] {
    if let compute { return try compute(run) }
    return [try stored[run.batch].load(run.cpu.memory)]
  }

  /// Keeps the results of all batches, in their order; from now on they are loaded and not computed.
  func settle(_ stored: [StoredActivations]) {
    self.stored = stored
    compute = nil
    source = nil
  }
}

/// One of a step's results.
struct DeferredValue {
  let step: DeferredStep
  let index: Int

  init(_ step: DeferredStep, _ index: Int = 0) {
    self.step = step
    self.index = index
  }

  /// A value of one result.
  init(
    from source: DeferredValue? = nil, _ compute: @escaping (BatchRun) throws -> Activations
  ) {
    self.init(DeferredStep(resultCount: 1, from: source) { [try compute($0)] })
  }

  /// The value to keep so that this one can be had again cheaply; nil where that is the case already.
  var needed: DeferredStep? {
    var value = self
    while !value.step.isStored, let source = value.step.source { value = source }
    return value.step.canBeStored ? value.step : nil
  }
}

/// The computation of one batch; it remembers every result until it is released.
final class BatchRun {
  let batch: Int
  let cpu: CPUBackend
  private var results: [ObjectIdentifier: [Activations]] = [:]

  init(batch: Int, cpu: CPUBackend) {
    self.batch = batch
    self.cpu = cpu
  }

  func value(_ value: DeferredValue) throws -> Activations {
    try results(of: value.step)[value.index]
  }

  func results(of step: DeferredStep) throws -> [Activations] {
    let key = ObjectIdentifier(step)
    if let known = results[key] { return known }
    let made = try step.results(self)
    results[key] = made
    return made
  }
}
