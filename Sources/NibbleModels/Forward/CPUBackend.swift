internal import NibbleQuantization
internal import NibbleTensors

/// Runs a forward pass on the CPU, in single precision, with weights in their file bytes.
///
/// One call of ``begin(_:tokenCount:laterCount:)`` per run of tokens; all rows of all values then belong to the positions
/// from `cache.count` on. Or one of ``begin(_:)``, and each row belongs to its own place.
final class CPUBackend: ForwardBackend {
  typealias Value = Activations

  /// What the sequence that is being run has left; several sequences may take turns.
  private(set) var cache: KeyValueCache
  /// Where each row stands; nil = rows follow what ``cache`` holds.
  private var places: [RowPlace]?
  /// For each block with a mixture, the tokens that each expert has seen so far.
  private(set) var expertTokenCounts: [Int: [Int]] = [:]
  private let config: ModelConfig
  private let weights: WeightStore
  let pool: WorkerPool
  let memory = ActivationPool()
  /// Tokens of each of the sequences that a run holds; nil = a run is one sequence.
  private let sequenceTokenCount: Int?
  let scratch = ActivationScratch()
  private var rotary: RotaryTable?
  private var windowRotary: RotaryTable?

  convenience init(
    model: LanguageModel, contextCount: Int, pool: WorkerPool, cacheType: CacheType
  ) {
    let cache = KeyValueCache(config: model.config, capacity: contextCount, type: cacheType)
    self.init(model, pool, cache, sequenceTokenCount: nil)
  }

  /// Prepares for runs of several sequences one after another, each from position 0, through one block at a time.
  ///
  /// - Parameters:
  ///   - model: whose weights to use.
  ///   - sequenceTokenCount: tokens of each sequence.
  ///   - runTokenCount: the most tokens of a run.
  ///   - pool: the threads that share the work.
  convenience init(
    model: LanguageModel, sequenceTokenCount: Int, runTokenCount: Int, pool: WorkerPool
  ) {
    let cache = KeyValueCache(
      config: model.config, capacity: runTokenCount, type: .float32, blockCount: 1)
    self.init(model, pool, cache, sequenceTokenCount: sequenceTokenCount)
    rotary?.prepare(positions: sequenceTokenCount, sequenceCount: sequenceTokenCount)
    windowRotary?.prepare(positions: sequenceTokenCount, sequenceCount: sequenceTokenCount)
  }

  private init(
    _ model: LanguageModel, _ pool: WorkerPool, _ cache: KeyValueCache, sequenceTokenCount: Int?
  ) {
    config = model.config
    weights = model.weights
    self.pool = pool
    self.cache = cache
    self.sequenceTokenCount = sequenceTokenCount
    let headFeatureCount = config.headFeatureCount
    rotary = config.rope.map { RotaryTable($0, headFeatureCount: headFeatureCount) }
    windowRotary = config.windowRope.map { RotaryTable($0, headFeatureCount: headFeatureCount) }
  }

  /// Prepares for a run of `tokenCount` tokens after those in `cache`, which `laterCount` more will follow at once.
  func begin(_ cache: KeyValueCache, tokenCount: Int, laterCount: Int) {
    self.cache = cache
    places = nil
    let count = cache.count + tokenCount
    precondition(count <= cache.capacity)
    rotary?.prepare(positions: count, sequenceCount: count + laterCount)
    windowRotary?.prepare(positions: count, sequenceCount: count + laterCount)
  }

  /// Prepares for rows that may belong to several sequences, each row as if it were a run of one token.
  ///
  /// - Parameter places: where each row stands; ``ModelConfig/ropeVariants(sequenceCount:)`` of the sequences up to there
  ///   are all the same.
  func begin(_ places: [RowPlace]) {
    precondition(!places.isEmpty && places.allSatisfy { $0.position < $0.cache.capacity })
    self.places = places
    let count = places.reduce(0) { max($0, $1.position + 1) }
    rotary?.prepare(positions: count, sequenceCount: places[0].position + 1)
    windowRotary?.prepare(positions: count, sequenceCount: places[0].position + 1)
  }

  func embed(_ tokens: [Int]) -> Activations {
    let x = memory.matrix(tokens.count, config.hiddenCount)
    for (row, token) in tokens.enumerated() {
      weights.embedding.decodeRow(
        token, into: UnsafeMutableBufferPointer(start: x.row(row), count: x.columnCount))
    }
    return x
  }

  func positions(of x: Activations) -> Activations {
    let table = weights.matrix(TensorID(.positionEmbedding))
    let y = memory.matrix(x.rowCount, x.columnCount)
    for row in 0..<y.rowCount {
      table.decodeRow(
        position(of: row),
        into: UnsafeMutableBufferPointer(start: y.row(row), count: y.columnCount))
    }
    return y
  }

  /// The position of a row within its sequence.
  private func position(of row: Int) -> Int {
    places?[row].position ?? cache.count + (sequenceTokenCount.map { row % $0 } ?? row)
  }

  func norm(_ x: Activations, _ weight: TensorID) -> Activations {
    norm(x, weight, featureCount: x.columnCount)
  }

  func headNorm(_ x: Activations, _ weight: TensorID) -> Activations {
    norm(x, weight, featureCount: config.headFeatureCount)
  }

  /// The RMS norm of each run of `featureCount` features.
  private func norm(_ x: Activations, _ weight: TensorID, featureCount: Int) -> Activations {
    let y = memory.matrix(x.rowCount, x.columnCount)
    let rounded = featureCount == x.columnCount ? rounding(y) : nil
    weights.vector(weight).withUnsafeBufferPointer { weight in
      guard let weight = weight.baseAddress else { return }
      eachRow(x.rowCount, cost: x.columnCount) { row in
        for first in stride(from: 0, to: x.columnCount, by: featureCount) {
          VectorKernels.rmsNorm(
            x.row(row) + first, weight: weight, count: featureCount, epsilon: config.normEpsilon,
            into: y.row(row) + first)
        }
        rounded?.round(row: row)
      }
    }
    return y
  }

  /// Room for the codes of what the next products take, where their weights want these.
  private func rounding(_ y: Activations) -> RoundedActivations? {
    y.makeRounded(weights.activationForm)
  }

  func layerNorm(_ x: Activations, _ weight: TensorID) -> Activations {
    let y = memory.matrix(x.rowCount, x.columnCount)
    let rounded = rounding(y)
    let bias = weights.bias(weight) ?? [Float](repeating: 0, count: x.columnCount)
    weights.vector(weight).withUnsafeBufferPointer { weight in
      bias.withUnsafeBufferPointer { bias in
        guard let weight = weight.baseAddress, let bias = bias.baseAddress else { return }
        eachRow(x.rowCount, cost: x.columnCount) { row in
          VectorKernels.layerNorm(
            x.row(row), weight: weight, bias: bias, count: x.columnCount,
            epsilon: config.normEpsilon, into: y.row(row))
          rounded?.round(row: row)
        }
      }
    }
    return y
  }

  func linear(_ x: Activations, _ layers: [TensorID]) -> [Activations] {
    product(x, layers.map { weights.matrix($0) }, layers)
  }

  /// x Wᵀ + b with the matrices that are given and the biases of `layers`.
  func product(
    _ x: Activations, _ matrices: [PackedMatrix], _ layers: [TensorID]
  ) -> [Activations] {
    let results = matrices.map { memory.matrix(x.rowCount, $0.rowCount) }
    multiply(
      matrices, x.pointer, count: x.rowCount, into: results.map { $0.pointer },
      yStrides: results.map { $0.columnCount }, pool: pool, scratch: scratch, rounded: x.rounded)
    for (layer, result) in zip(layers, results) { addBias(layer, to: result) }
    return results
  }

  /// Adds the bias of a layer to each row, where it has one.
  func addBias(_ layer: TensorID, to result: Activations) {
    weights.bias(layer)?.withUnsafeBufferPointer { bias in
      guard let bias = bias.baseAddress else { return }
      for row in 0..<result.rowCount {
        VectorKernels.add(result.row(row), bias, count: result.columnCount, into: result.row(row))
      }
    }
  }

  func split(_ x: Activations, _ counts: [Int]) -> [Activations] {
    precondition(counts.reduce(0, +) == x.columnCount)
    var first = 0
    return counts.map { count in
      let y = memory.matrix(x.rowCount, count)
      for row in 0..<x.rowCount { y.row(row).update(from: x.row(row) + first, count: count) }
      first += count
      return y
    }
  }

  func rope(_ x: Activations, block: Int) -> Activations {
    let hasWindow = config.window(ofBlock: block) != nil
    guard let table = hasWindow ? windowRotary ?? rotary : rotary else { return x }
    let y = memory.matrix(x.rowCount, x.columnCount)
    let headCount = x.columnCount / config.headFeatureCount
    eachRow(x.rowCount, cost: 4 * x.columnCount) { row in
      y.row(row).update(from: x.row(row), count: x.columnCount)
      table.apply(to: y.row(row), headCount: headCount, position: position(of: row))
    }
    return y
  }

  func attend(
    _ queries: Activations, _ keys: Activations, _ values: Activations, block: Int
  ) -> Activations {
    let attention = Attention(
      config: config, cache: cache, block: sequenceTokenCount == nil ? block : 0, pool: pool,
      window: config.window(ofBlock: block), scale: config.attentionScale,
      softcap: config.attentionSoftcap, sequenceTokenCount: sequenceTokenCount, places: places)
    attention.store(keys, values)
    let y = memory.matrix(queries.rowCount, queries.columnCount)
    attention.attend(queries, into: y)
    return y
  }

  func gelu(_ x: Activations) -> Activations {
    let y = memory.matrix(x.rowCount, x.columnCount)
    let rounded = rounding(y)
    eachRow(x.rowCount, cost: 8 * x.columnCount) { row in
      VectorKernels.gelu(x.row(row), count: y.columnCount, into: y.row(row))
      rounded?.round(row: row)
    }
    return y
  }

  func gate(_ gate: Activations, _ up: Activations, _ activation: Activation) -> Activations {
    let y = memory.matrix(gate.rowCount, gate.columnCount)
    let rounded = rounding(y)
    eachRow(gate.rowCount, cost: 8 * gate.columnCount) { row in
      switch activation {
      case .silu:
        VectorKernels.siluMultiply(
          gate: gate.row(row), up: up.row(row), count: y.columnCount, into: y.row(row))
      case .geluTanh:
        VectorKernels.geluMultiply(
          gate: gate.row(row), up: up.row(row), count: y.columnCount, into: y.row(row))
      }
      rounded?.round(row: row)
    }
    return y
  }

  func mix(
    _ x: Activations, scores: Activations, block: Int,
    _ expert: (_ index: Int, _ x: Activations) -> Activations
  ) -> Activations {
    let routes = ExpertRoutes(
      scores, usedCount: config.usedExpertCount, isNormalized: config.normalizesExpertWeights)
    var counts =
      expertTokenCounts[block] ?? [Int](repeating: 0, count: scores.columnCount)
    for (index, route) in routes.experts.enumerated() { counts[index] += route.count }
    expertTokenCounts[block] = counts
    return combine(routes.experts, like: x) { index in
      expert(index, gather(x, routes.experts[index]))
    }
  }

  func add(_ x: Activations, _ y: Activations) -> Activations {
    let z = memory.matrix(x.rowCount, x.columnCount)
    eachRow(x.rowCount, cost: x.columnCount) { row in
      VectorKernels.add(x.row(row), y.row(row), count: z.columnCount, into: z.row(row))
    }
    return z
  }

  func scale(_ x: Activations, by factor: Float) -> Activations {
    let y = memory.matrix(x.rowCount, x.columnCount)
    eachRow(x.rowCount, cost: x.columnCount) { row in
      VectorKernels.scale(x.row(row), by: factor, count: y.columnCount, into: y.row(row))
    }
    return y
  }

  /// Logits `[rows, vocabulary]` of some rows of the hidden states.
  func logits(_ hidden: Activations, rows: Range<Int>) -> Activations {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= hidden.rowCount && !rows.isEmpty)
    let y = memory.matrix(rows.count, weights.head.rowCount)
    weights.head.multiply(
      hidden.row(rows.lowerBound), count: rows.count, into: y.pointer, yStride: y.columnCount,
      pool: pool, scratch: scratch,
      rounded: rows == 0..<hidden.rowCount ? hidden.rounded : nil)
    if config.outputSoftcap > 0 {
      eachRow(y.rowCount, cost: 8 * y.columnCount) { row in
        VectorKernels.softcap(
          y.row(row), cap: config.outputSoftcap, count: y.columnCount, into: y.row(row))
      }
    }
    return y
  }

  /// The rows of several values, one after another.
  func concatenate(_ parts: [Activations]) -> Activations {
    let y = memory.matrix(parts.reduce(0) { $0 + $1.rowCount }, parts[0].columnCount)
    var row = 0
    for part in parts {
      y.row(row).update(from: part.pointer, count: part.rowCount * part.columnCount)
      row += part.rowCount
    }
    return y
  }

  /// Calls `body` for each row, on all threads when the work is worth waking them.
  private func eachRow(_ rowCount: Int, cost: Int, _ body: (Int) -> Void) {
    guard rowCount * cost >= 1 << 15 else {
      for row in 0..<rowCount { body(row) }
      return
    }
    pool.rows(rowCount) { for row in $0 { body(row) } }
  }
}
