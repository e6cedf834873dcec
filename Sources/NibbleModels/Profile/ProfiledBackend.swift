internal import NibbleQuantization
internal import NibbleTensors

/// The CPU's forward pass with each operation timed. A pass that is not profiled runs without this, and reads no clock.
struct ProfiledBackend: ForwardBackend {
  typealias Value = Activations

  private let cpu: CPUBackend
  private let config: ModelConfig
  private let weights: WeightStore
  private let recorder: ProfileRecorder

  init(_ cpu: CPUBackend, _ model: LanguageModel, _ recorder: ProfileRecorder) {
    self.cpu = cpu
    config = model.config
    weights = model.weights
    self.recorder = recorder
  }

  func embed(_ tokens: [Int]) -> Activations {
    let rowByteCount = weights.embedding.storedByteCount / max(1, weights.embedding.rowCount)
    let bytes = tokens.count * (rowByteCount + 4 * config.hiddenCount)
    return recorder.measure(.elementwise, bytes: bytes) { cpu.embed(tokens) }
  }

  func positions(of x: Activations) -> Activations {
    recorder.measure(.elementwise, bytes: 2 * x.byteCount) { cpu.positions(of: x) }
  }

  func norm(_ x: Activations, _ weight: TensorID) -> Activations {
    recorder.measure(.norm, bytes: 2 * x.byteCount) { cpu.norm(x, weight) }
  }

  func headNorm(_ x: Activations, _ weight: TensorID) -> Activations {
    recorder.measure(.norm, bytes: 2 * x.byteCount) { cpu.headNorm(x, weight) }
  }

  func layerNorm(_ x: Activations, _ weight: TensorID) -> Activations {
    recorder.measure(.norm, bytes: 2 * x.byteCount) { cpu.layerNorm(x, weight) }
  }

  func linear(_ x: Activations, _ layers: [TensorID]) -> [Activations] {
    let role = OperationProfile.ProductRole(layers[0].role)
    return product(role, layers.map { weights.matrix($0) }, rowCount: x.rowCount) {
      cpu.linear(x, layers)
    }
  }

  /// Logits `[rows, vocabulary]` of some rows of the hidden states.
  func logits(_ hidden: Activations, rows: Range<Int>) -> Activations {
    product(.output, [weights.head], rowCount: rows.count) { cpu.logits(hidden, rows: rows) }
  }

  /// Times a product and, apart from it, the rounding of its activations.
  private func product<Result>(
    _ role: OperationProfile.ProductRole, _ matrices: [PackedMatrix], rowCount: Int,
    _ body: () -> Result
  ) -> Result {
    var (products, bytes, inputByteCount) = (0, 0, 0)
    for matrix in matrices {
      products += rowCount * matrix.rowCount * matrix.columnCount
      bytes += matrix.storedByteCount + 4 * rowCount * matrix.rowCount
      inputByteCount = 4 * rowCount * matrix.columnCount
    }
    let names = Set(matrices.map(\.element.title)).sorted().joined(separator: ", ")
    return recorder.measure(
      .product(role, weights: names), products: products, bytes: bytes + inputByteCount
    ) {
      let before = cpu.scratch.roundingTime
      let result = body()
      let rounding = cpu.scratch.roundingTime - before
      if rounding > .zero {
        recorder.addInner(.rounding, rounding, bytes: inputByteCount + inputByteCount / 4)
      }
      return result
    }
  }

  func split(_ x: Activations, _ counts: [Int]) -> [Activations] {
    recorder.measure(.elementwise, bytes: 2 * x.byteCount) { cpu.split(x, counts) }
  }

  func rope(_ x: Activations, block: Int) -> Activations {
    recorder.measure(.rope, bytes: 2 * x.byteCount) { cpu.rope(x, block: block) }
  }

  func attend(
    _ queries: Activations, _ keys: Activations, _ values: Activations, block: Int
  ) -> Activations {
    let (first, window) = (cpu.cache.count, config.window(ofBlock: block) ?? Int.max)
    var seenCount = 0
    for row in 0..<queries.rowCount { seenCount += min(first + row + 1, window) }
    let end = first + queries.rowCount
    // No sum with the window, which may be the largest number.
    let positionCount = first + 1 > window ? end - (first + 1 - window) : end
    let rowByteCount = cpu.cache.type.rowByteCount(featureCount: config.headFeatureCount)
    return recorder.measure(
      .attention, products: 2 * seenCount * config.queryFeatureCount,
      bytes: 2 * positionCount * config.keyValueHeadCount * rowByteCount + 2 * queries.byteCount
        + keys.byteCount + values.byteCount
    ) {
      cpu.attend(queries, keys, values, block: block)
    }
  }

  func gelu(_ x: Activations) -> Activations {
    recorder.measure(.activation, bytes: 2 * x.byteCount) { cpu.gelu(x) }
  }

  func gate(_ gate: Activations, _ up: Activations, _ activation: Activation) -> Activations {
    recorder.measure(.activation, bytes: 3 * gate.byteCount) { cpu.gate(gate, up, activation) }
  }

  func mix(
    _ x: Activations, scores: Activations, block: Int,
    _ expert: (_ index: Int, _ x: Activations) -> Activations
  ) -> Activations {
    recorder.measure(.elementwise, bytes: 4 * config.usedExpertCount * x.byteCount) {
      cpu.mix(x, scores: scores, block: block, expert)
    }
  }

  func add(_ x: Activations, _ y: Activations) -> Activations {
    recorder.measure(.elementwise, bytes: 3 * x.byteCount) { cpu.add(x, y) }
  }

  func scale(_ x: Activations, by factor: Float) -> Activations {
    recorder.measure(.elementwise, bytes: 2 * x.byteCount) { cpu.scale(x, by: factor) }
  }
}

extension OperationProfile.ProductRole {
  /// The role of a layer's products.
  init(_ role: TensorRole) {
    self =
      switch role {
      case .query, .key, .value, .queryKeyValue: .queryKeyValue
      case .attentionOutput: .attentionOutput
      case .down, .expertDown: .down
      case .router: .router
      case .output, .tokenEmbedding: .output
      default: .gateUp
      }
  }
}

extension Activations {
  fileprivate var byteCount: Int { rowCount * columnCount * MemoryLayout<Float>.stride }
}

extension PackedMatrix.Element {
  /// The type's name in reports: "BF16", "Q4_K", "int4-g64-sym".
  fileprivate var title: String {
    switch self {
    case .plain(let type): type.rawValue
    case .blocks(let type): type.name
    case .scheme(let scheme): scheme.name ?? "\(scheme)"
    }
  }
}
