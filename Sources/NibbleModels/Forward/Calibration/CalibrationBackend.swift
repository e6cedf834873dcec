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

  /// Where the weights come from with which the run goes on.
  enum ReplacementSource {
    /// The observer sees the inputs and gives them.
    case asking(any CalibrationObserver)
    /// They are known; nobody sees anything, and a block is computed in one go.
    case known([TensorID: ReplacementWeights])
  }

  /// The stages that the block has begun so far.
  private(set) var stages: [CalibrationStage] = []
  /// The first error; nothing is computed after it.
  private(set) var failure: (any Error)?
  private let model: LanguageModel
  private let plan: BlockwiseRun.Plan
  private let batches: BatchLoop
  private let source: ReplacementSource
  private let block: Int
  private var routes: DeferredRoutes?
  /// For each expert of the block's mixture, the tokens that went through it; nil where the block has none.
  var expertTokenCounts: [Int]? { routes?.tokenCounts }

  init(
    _ model: LanguageModel, _ plan: BlockwiseRun.Plan, _ batches: BatchLoop,
    _ source: ReplacementSource, block: Int
  ) {
    self.model = model
    self.plan = plan
    self.batches = batches
    self.source = source
    self.block = block
  }

  // MARK: Layers

  func linear(_ x: StreamPair, _ layers: [TensorID]) -> [StreamPair] {
    let matrices = layers.map { model.weights.matrix($0) }
    let stage = begin(layers, matrices[0].columnCount)
    guard plan.isReplacing else {
      return outputs(
        DeferredStep(resultCount: layers.count) { [source] run in
          let input = try run.value(x.first)
          if case .asking(let observer) = source {
            try observer.observe(
              StageRows(
                stage: stage, rowCount: input.rowCount, original: UnsafePointer(input.pointer),
                replaced: nil))
          }
          return run.cpu.calibrationProduct(input, matrices, layers)
        }, nil, layers.count)
    }
    let replaced = self.replaced(stage, keeping: [x.first.needed, x.second?.needed]) {
      [plan] run in
      let first = try run.value(x.first)
      let second = try x.second.map { try run.value($0) }
      let rows = UnsafePointer(first.pointer)
      return StageRows(
        stage: stage, rowCount: first.rowCount, original: plan.keepsOriginal ? rows : nil,
        replaced: plan.keepsOriginal ? second.map { UnsafePointer($0.pointer) } : rows)
    }
    let changed = zip(layers, matrices).map { replaced[$0]?.matrix ?? $1 }
    guard plan.keepsOriginal else {
      return outputs(product(x.first, changed, layers), nil, layers.count)
    }
    let forks = x.second != nil || !replaced.isEmpty
    return outputs(
      product(x.first, matrices, layers), forks ? product(x.last, changed, layers) : nil,
      layers.count)
  }

  /// Where both streams are run and differ, the first one's result is computed before the layer is replaced: what the second
  /// one lacks to be that is what the new weights shall give besides.
  func add(_ residual: StreamPair, _ layer: TensorID, of x: StreamPair) -> StreamPair {
    guard plan.isReplacing, plan.keepsOriginal, x.second != nil || residual.second != nil else {
      return add(residual, linear(x, [layer])[0])
    }
    let matrix = model.weights.matrix(layer)
    let stage = begin([layer], matrix.columnCount)
    let wanted = DeferredValue { run in
      run.cpu.add(
        try run.value(residual.first),
        run.cpu.calibrationProduct(try run.value(x.first), [matrix], [])[0])
    }
    let lack = DeferredValue { run in
      let given = run.cpu.add(
        try run.value(residual.last),
        run.cpu.calibrationProduct(try run.value(x.last), [matrix], [])[0])
      return run.cpu.add(try run.value(wanted), run.cpu.scale(given, by: -1))
    }
    let replaced = self.replaced(stage, keeping: [wanted.needed, x.last.needed]) { run in
      let (input, lack) = (try run.value(x.last), try run.value(lack))
      var rows = StageRows(
        stage: stage, rowCount: input.rowCount, original: nil,
        replaced: UnsafePointer(input.pointer))
      rows.lack = (lack.columnCount, UnsafePointer(lack.pointer))
      rows.weights = run.cpu.rowWeights(try run.value(wanted))
      return rows
    }
    let first = DeferredValue(from: wanted) { run in
      let sum = run.cpu.copy(try run.value(wanted))
      run.cpu.addBias(layer, to: sum)
      return sum
    }
    let output = DeferredValue(product(x.last, [replaced[layer]?.matrix ?? matrix], [layer]))
    let second = DeferredValue { run in
      run.cpu.add(try run.value(residual.last), try run.value(output))
    }
    return StreamPair(first: first, second: second)
  }

  private func begin(_ layers: [TensorID], _ columnCount: Int) -> CalibrationStage {
    let stage = CalibrationStage(
      block: block, index: stages.count, layers: layers, columnCount: columnCount)
    stages.append(stage)
    return stage
  }

  private func product(
    _ x: DeferredValue, _ matrices: [PackedMatrix], _ layers: [TensorID]
  ) -> DeferredStep {
    DeferredStep(resultCount: layers.count) { run in
      run.cpu.calibrationProduct(try run.value(x), matrices, layers)
    }
  }

  private func outputs(
    _ first: DeferredStep, _ second: DeferredStep?, _ count: Int
  ) -> [StreamPair] {
    (0..<count).map { index in
      StreamPair(
        first: DeferredValue(first, index), second: second.map { DeferredValue($0, index) })
    }
  }

  /// The weights that are known for a stage; else shows the observer the stage's rows, batch by batch, and asks it.
  private func replaced(
    _ stage: CalibrationStage, keeping steps: [DeferredStep?],
    _ rows: (BatchRun) throws -> StageRows
  ) -> [TensorID: ReplacementWeights] {
    guard failure == nil else { return [:] }
    do {
      guard case .asking(let observer) = source else { return try knownWeights(of: stage) }
      try batches.run(keeping: steps) { run in try observer.observe(try rows(run)) }
      let replaced = try observer.finish(stage)
      try requireShapes(replaced, stage)
      return replaced
    } catch {
      failure = error
      return [:]
    }
  }

  private func knownWeights(
    of stage: CalibrationStage
  ) throws(ModelError) -> [TensorID: ReplacementWeights] {
    guard case .known(let all) = source else { return [:] }
    let known = all.filter { stage.layers.contains($0.key) }
    try requireShapes(known, stage)
    return known
  }

  private func requireShapes(
    _ replaced: [TensorID: ReplacementWeights], _ stage: CalibrationStage
  ) throws(ModelError) {
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
