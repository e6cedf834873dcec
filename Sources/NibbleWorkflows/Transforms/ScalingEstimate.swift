internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleTensors

/// The factors by which a model's channels were scaled, found in its own tensors and those of the model that it was made from.
///
/// In each scaling group the producer's rows tell them: a row of the scaled model is nearest to the original's row times
/// ⟨original, scaled⟩ / ⟨original, original⟩ (least squares); for a norm, whose rows are single numbers, that is exact. The
/// consumers' columns were multiplied by the inverse. Quantized rows tell their factor up to a part of their own error.
struct ScalingEstimate {
  /// Tensors of both models under their names in GGUF files.
  private let judged: [TensorID: TensorTask]
  private let originals: [TensorID: TensorTask]

  /// Nearer to 1 than this, all factors of a matrix's rows are taken for 1; those of a norm are exact.
  private static let tolerance: Float = 0.02

  init(_ pairs: [TensorPairing.Pair]) {
    func byID(_ tasks: [TensorTask]) -> [TensorID: TensorTask] {
      Dictionary(
        tasks.compactMap { task in task.id.map { ($0, task) } },
        uniquingKeysWith: { first, _ in first })
    }
    judged = byID(pairs.map(\.judged))
    originals = byID(pairs.map(\.reference))
  }

  /// Finds the factors of all groups, each on top of those before it.
  ///
  /// - Throws: `ModelError` for an architecture that is not known, `CheckpointError` for tensors that cannot be read.
  func run(_ original: ModelSource) throws -> ChannelScaling {
    var scaling = ChannelScaling()
    let scratch = Scratch()
    for block in 0..<(try original.requireConfig().blockCount) {
      for group in try original.scalingGroups(ofBlock: block) {
        guard let factors = try rowFactors(group.producer, scaling, of: original, scratch),
          factors.contains(where: { abs($0 - 1) > tolerance(of: group.producer) }),
          group.producerRows.allSatisfy({ factors.indices.contains($0) })
        else { continue }
        try scaling.scale(
          group, by: group.producerRows.map { 1 / factors[$0] }, of: original)
      }
    }
    return scaling
  }

  private func tolerance(of id: TensorID) -> Float {
    originals[id].map { $0.shape.count < 2 } ?? false ? 1e-6 : Self.tolerance
  }

  /// What the rows of a tensor were multiplied by; nil where that cannot be told.
  private func rowFactors(
    _ id: TensorID, _ scaling: ChannelScaling, of original: ModelSource, _ scratch: Scratch
  ) throws(CheckpointError) -> [Float]? {
    guard let judged = judged[id] ?? judged[id.ofAllExperts],
      let stored = originals[id] ?? originals[id.ofAllExperts],
      case .stored(let origin) = stored.origin,
      origin.order == .same || origin.order == .transposed
    else { return nil }
    let reference = stored.scaled(by: scaling, of: original, in: .gguf)
    // Experts are stacked along the first dimension.
    let isStacked = originals[id] == nil
    let rowCount = isStacked ? reference.shape.dropFirst().first ?? 0 : reference.rowCount
    let first = isStacked ? (id.expert ?? 0) * rowCount : 0
    let width = reference.columnCount
    guard rowCount > 0, width > 0, first + rowCount <= reference.rowCount,
      judged.rowCount == reference.rowCount, judged.columnCount == width
    else { return nil }
    var factors: [Float] = []
    let step = max(1, (1 << 16) / width)
    for start in stride(from: first, to: first + rowCount, by: step) {
      let rows = start..<min(start + step, first + rowCount)
      let weights = Array(try reference.sourceValues(rows, scratch))
      let scaled = Array(try judged.sourceValues(rows, scratch))
      for row in 0..<rows.count {
        factors.append(Self.factor(weights, scaled, row * width..<(row + 1) * width))
      }
    }
    return factors.allSatisfy { $0.isFinite && $0 > 1e-5 && $0 < 1e5 } ? factors : nil
  }

  private static func factor(_ weights: [Float], _ scaled: [Float], _ range: Range<Int>) -> Float {
    var product = 0.0
    var energy = 0.0
    for index in range {
      product += Double(weights[index]) * Double(scaled[index])
      energy += Double(weights[index]) * Double(weights[index])
    }
    // A row of zeros tells nothing.
    return energy > 0 ? Float(product / energy) : 1
  }
}
