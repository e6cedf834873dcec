internal import NibbleQuantization
internal import NibbleTensors

/// Runs a forward pass on the CPU, in single precision, with weights in their file bytes.
///
/// One call of ``begin(tokenCount:)`` per run of tokens; all rows of all values then belong to the positions from
/// `cache.count` on.
final class CPUBackend: ForwardBackend {
  typealias Value = Activations

  let cache: KeyValueCache
  private let config: ModelConfig
  private let weights: WeightStore
  private let pool: WorkerPool
  private let memory = ActivationPool()
  private let scratch = ActivationScratch()
  private var rotary: RotaryTable

  init(model: LanguageModel, contextCount: Int, pool: WorkerPool, cacheType: CacheType) {
    config = model.config
    weights = model.weights
    self.pool = pool
    cache = KeyValueCache(config: model.config, capacity: contextCount, type: cacheType)
    rotary = RotaryTable(config: model.config)
  }

  /// Prepares for a run of `tokenCount` tokens after those in the cache.
  func begin(tokenCount: Int) {
    precondition(cache.count + tokenCount <= cache.capacity)
    rotary.prepare(positions: cache.count + tokenCount)
  }

  func embed(_ tokens: [Int]) -> Activations {
    let x = memory.matrix(tokens.count, config.hiddenCount)
    for (row, token) in tokens.enumerated() {
      weights.embedding.decodeRow(
        token, into: UnsafeMutableBufferPointer(start: x.row(row), count: x.columnCount))
    }
    return x
  }

  func norm(_ x: Activations, _ weight: TensorID) -> Activations {
    let y = memory.matrix(x.rowCount, x.columnCount)
    weights.vector(weight).withUnsafeBufferPointer { weight in
      guard let weight = weight.baseAddress else { return }
      eachRow(x.rowCount, cost: x.columnCount) { row in
        VectorKernels.rmsNorm(
          x.row(row), weight: weight, count: x.columnCount, epsilon: config.normEpsilon,
          into: y.row(row))
      }
    }
    return y
  }

  func linear(_ x: Activations, _ layers: [TensorID]) -> [Activations] {
    let matrices = layers.map { weights.matrix($0) }
    let results = matrices.map { memory.matrix(x.rowCount, $0.rowCount) }
    multiply(
      matrices, x.pointer, count: x.rowCount, into: results.map { $0.pointer },
      yStrides: results.map { $0.columnCount }, pool: pool, scratch: scratch)
    for (layer, result) in zip(layers, results) {
      guard let bias = weights.bias(layer) else { continue }
      for row in 0..<result.rowCount {
        let y = result.row(row)
        for column in 0..<result.columnCount { y[column] += bias[column] }
      }
    }
    return results
  }

  func rope(_ x: Activations) -> Activations {
    let y = memory.matrix(x.rowCount, x.columnCount)
    let headCount = x.columnCount / config.headFeatureCount
    eachRow(x.rowCount, cost: 4 * x.columnCount) { row in
      y.row(row).update(from: x.row(row), count: x.columnCount)
      rotary.apply(to: y.row(row), headCount: headCount, position: cache.count + row)
    }
    return y
  }

  func attend(
    _ queries: Activations, _ keys: Activations, _ values: Activations, block: Int
  ) -> Activations {
    let attention = Attention(
      config: config, cache: cache, block: block, pool: pool, window: config.slidingWindow,
      scale: 1 / Float(config.headFeatureCount).squareRoot(), softcap: 0)
    attention.store(keys, values)
    let y = memory.matrix(queries.rowCount, queries.columnCount)
    attention.attend(queries, into: y)
    return y
  }

  func gate(_ gate: Activations, _ up: Activations) -> Activations {
    let y = memory.matrix(gate.rowCount, gate.columnCount)
    eachRow(gate.rowCount, cost: 8 * gate.columnCount) { row in
      VectorKernels.siluMultiply(
        gate: gate.row(row), up: up.row(row), count: y.columnCount, into: y.row(row))
    }
    return y
  }

  func add(_ x: Activations, _ y: Activations) -> Activations {
    let z = memory.matrix(x.rowCount, x.columnCount)
    eachRow(x.rowCount, cost: x.columnCount) { row in
      VectorKernels.add(x.row(row), y.row(row), count: z.columnCount, into: z.row(row))
    }
    return z
  }

  /// Logits `[rows, vocabulary]` of some rows of the hidden states.
  func logits(_ hidden: Activations, rows: Range<Int>) -> Activations {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= hidden.rowCount && !rows.isEmpty)
    let y = memory.matrix(rows.count, weights.head.rowCount)
    weights.head.multiply(
      hidden.row(rows.lowerBound), count: rows.count, into: y.pointer, yStride: y.columnCount,
      pool: pool, scratch: scratch)
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
