internal import NibbleQuantization

/// A value of a calibration run in its two streams.
struct StreamPair {
  /// What the model's own weights give; in runs of one stream, what the weights replaced so far give.
  var first: DeferredValue
  /// What the weights replaced so far give; nil while both are the same.
  var second: DeferredValue?

  var last: DeferredValue { second ?? first }
}

/// Builds a block's computation over all tokens of a calibration run, stage by stage.
///
/// Values are deferred: nothing is computed before ``linear(_:_:)``. In a run that replaces weights that call computes the
/// layers' input for all batches, hands it to the observer, keeps what later stages need, and takes the new weights; so each
/// layer is computed once for each stream. In a run that only observes, the input is handed over when the block's result is
/// computed, and nothing is kept.
///
/// Tokens of the second stream go through the experts that the first chose for them, with weights of their own scores:
/// then both streams have the same tokens in each expert.
final class CalibrationBackend: ForwardBackend {
  typealias Value = StreamPair

  /// The stages that the block has begun so far.
  private(set) var stages: [CalibrationStage] = []
  /// The first error; nothing is computed after it.
  private(set) var failure: (any Error)?
  private let model: LanguageModel
  private let plan: BlockwiseRun.Plan
  private let batches: BatchLoop
  private let observer: any CalibrationObserver
  private let block: Int
  private var routes: DeferredRoutes?
  /// For each expert of the block's mixture, the tokens that went through it; nil where the block has none.
  var expertTokenCounts: [Int]? { routes?.tokenCounts }

  init(
    _ model: LanguageModel, _ plan: BlockwiseRun.Plan, _ batches: BatchLoop,
    _ observer: any CalibrationObserver, block: Int
  ) {
    self.model = model
    self.plan = plan
    self.batches = batches
    self.observer = observer
    self.block = block
  }

  // MARK: Layers

  func linear(_ x: StreamPair, _ layers: [TensorID]) -> [StreamPair] {
    let matrices = layers.map { model.weights.matrix($0) }
    let stage = CalibrationStage(
      block: block, index: stages.count, layers: layers, columnCount: matrices[0].columnCount)
    stages.append(stage)
    guard plan.isReplacing else {
      return outputs(
        DeferredStep(resultCount: layers.count) { [observer] run in
          let input = try run.value(x.first)
          try observer.observe(
            StageRows(
              stage: stage, rowCount: input.rowCount, original: UnsafePointer(input.pointer),
              replaced: nil))
          return run.cpu.calibrationProduct(input, matrices, layers)
        }, nil, layers.count)
    }
    let replaced = self.replaced(stage, x)
    let changed = zip(layers, matrices).map { replaced[$0]?.matrix ?? $1 }
    func product(_ x: DeferredValue, _ matrices: [PackedMatrix]) -> DeferredStep {
      DeferredStep(resultCount: layers.count) { run in
        run.cpu.calibrationProduct(try run.value(x), matrices, layers)
      }
    }
    guard plan.keepsOriginal else { return outputs(product(x.first, changed), nil, layers.count) }
    let forks = x.second != nil || !replaced.isEmpty
    return outputs(
      product(x.first, matrices), forks ? product(x.last, changed) : nil, layers.count)
  }

  private func outputs(
    _ first: DeferredStep, _ second: DeferredStep?, _ count: Int
  ) -> [StreamPair] {
    (0..<count).map { index in
      StreamPair(
        first: DeferredValue(first, index), second: second.map { DeferredValue($0, index) })
    }
  }

  /// Runs all batches up to the stage's input and returns the weights that the observer gives for it.
  private func replaced(
    _ stage: CalibrationStage, _ x: StreamPair
  ) -> [TensorID: ReplacementWeights] {
    guard failure == nil else { return [:] }
    do {
      try batches.run(keeping: [x.first.needed, x.second?.needed]) { run in
        let first = try run.value(x.first)
        let second = try x.second.map { try run.value($0) }
        let rows = UnsafePointer(first.pointer)
        try observer.observe(
          StageRows(
            stage: stage, rowCount: first.rowCount, original: plan.keepsOriginal ? rows : nil,
            replaced: plan.keepsOriginal ? second.map { UnsafePointer($0.pointer) } : rows))
      }
      let replaced = try observer.finish(stage)
      for layer in stage.layers {
        guard let new = replaced[layer]?.matrix else { continue }
        let old = model.weights.matrix(layer)
        guard new.rowCount == old.rowCount, new.columnCount == old.columnCount else {
          throw ModelError(
            .request,
            "weights of \(new.rowCount) x \(new.columnCount) cannot replace \(old.rowCount) x \(old.columnCount)"
          )
        }
      }
      return replaced
    } catch {
      failure = error
      return [:]
    }
  }

  // MARK: Mixtures of experts

  func mix(
    _ x: StreamPair, scores: StreamPair, block: Int,
    _ expert: (_ index: Int, _ x: StreamPair) -> StreamPair
  ) -> StreamPair {
    let config = model.config
    let routes = DeferredRoutes(count: config.usedExpertCount, config.normalizesExpertWeights)
    let chosen = DeferredRoutes.Stream(scores: scores.first, follows: nil)
    let followed = scores.second.map { DeferredRoutes.Stream(scores: $0, follows: scores.first) }
    func gather(_ x: DeferredValue, _ index: Int) -> DeferredValue {
      DeferredValue { run in
        run.cpu.gather(try run.value(x), try routes.routes(chosen, run).experts[index])
      }
    }
    let results = (0..<config.expertCount).map { index in
      expert(
        index,
        StreamPair(first: gather(x.first, index), second: x.second.map { gather($0, index) }))
    }
    func combine(
      _ x: DeferredValue, _ stream: DeferredRoutes.Stream, _ results: [DeferredValue]
    ) -> DeferredValue {
      DeferredValue { run in
        let experts = try routes.routes(stream, run).experts
        return try run.cpu.combine(experts, like: run.value(x)) { try run.value(results[$0]) }
      }
    }
    let forks =
      x.second != nil || scores.second != nil || results.contains { $0.second != nil }
    let first = combine(x.first, chosen, results.map(\.first))
    self.routes = routes
    return StreamPair(
      first: first,
      second: forks ? combine(x.last, followed ?? chosen, results.map(\.last)) : nil)
  }

  // MARK: Everything else, batch by batch

  private func map(
    _ x: StreamPair, isRowwise: Bool = false,
    _ body: @escaping (CPUBackend, Activations) -> Activations
  ) -> StreamPair {
    func one(_ x: DeferredValue) -> DeferredValue {
      DeferredValue(from: isRowwise ? x : nil) { run in body(run.cpu, try run.value(x)) }
    }
    return StreamPair(first: one(x.first), second: x.second.map(one))
  }

  private func map(
    _ x: StreamPair, _ y: StreamPair,
    _ body: @escaping (CPUBackend, Activations, Activations) -> Activations
  ) -> StreamPair {
    func one(_ x: DeferredValue, _ y: DeferredValue) -> DeferredValue {
      DeferredValue { run in body(run.cpu, try run.value(x), try run.value(y)) }
    }
    let forks = x.second != nil || y.second != nil
    return StreamPair(
      first: one(x.first, y.first), second: forks ? one(x.last, y.last) : nil)
  }

  func embed(_ tokens: [Int]) -> StreamPair {
    let batches = batches
    return StreamPair(
      first: DeferredValue { run in run.cpu.embed(batches.tokens(ofBatch: run.batch)) })
  }

  func positions(of x: StreamPair) -> StreamPair { map(x) { $0.positions(of: $1) } }

  func norm(_ x: StreamPair, _ weight: TensorID) -> StreamPair {
    map(x, isRowwise: true) { $0.norm($1, weight) }
  }

  func headNorm(_ x: StreamPair, _ weight: TensorID) -> StreamPair {
    map(x, isRowwise: true) { $0.headNorm($1, weight) }
  }

  func layerNorm(_ x: StreamPair, _ weight: TensorID) -> StreamPair {
    map(x, isRowwise: true) { $0.layerNorm($1, weight) }
  }

  func split(_ x: StreamPair, _ counts: [Int]) -> [StreamPair] {
    func step(_ x: DeferredValue) -> DeferredStep {
      DeferredStep(resultCount: counts.count) { run in run.cpu.split(try run.value(x), counts) }
    }
    return outputs(step(x.first), x.second.map(step), counts.count)
  }

  func rope(_ x: StreamPair, block: Int) -> StreamPair { map(x) { $0.rope($1, block: block) } }

  func attend(
    _ queries: StreamPair, _ keys: StreamPair, _ values: StreamPair, block: Int
  ) -> StreamPair {
    func one(_ q: DeferredValue, _ k: DeferredValue, _ v: DeferredValue) -> DeferredValue {
      DeferredValue { run in
        run.cpu.attend(try run.value(q), try run.value(k), try run.value(v), block: block)
      }
    }
    let forks = queries.second != nil || keys.second != nil || values.second != nil
    return StreamPair(
      first: one(queries.first, keys.first, values.first),
      second: forks ? one(queries.last, keys.last, values.last) : nil)
  }

  func gelu(_ x: StreamPair) -> StreamPair { map(x, isRowwise: true) { $0.gelu($1) } }

  func gate(_ gate: StreamPair, _ up: StreamPair, _ activation: Activation) -> StreamPair {
    map(gate, up) { $0.gate($1, $2, activation) }
  }

  func add(_ x: StreamPair, _ y: StreamPair) -> StreamPair { map(x, y) { $0.add($1, $2) } }

  func scale(_ x: StreamPair, by factor: Float) -> StreamPair {
    map(x, isRowwise: true) { $0.scale($1, by: factor) }
  }
}
