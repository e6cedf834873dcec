package import NibbleCheckpoints

/// A tensor of a source under its name in a target naming, `[output features, input features]` for layers.
public struct MappedTensor: Sendable {
  package let origin: TensorOrigin
  public let id: TensorID
  /// The name in the target naming.
  public let name: String
  /// Dimensions, slowest first; those of a stack of experts begin with their number.
  public let shape: [Int]
  /// Whether the target holds plain numbers as `[input features, output features]`.
  public let isTransposedWhenPlain: Bool

  /// The order of the target's elements.
  public var rowOrder: RowOrder { origin.order }
  /// How the source stores the values.
  package var type: StoredType { origin.type }
}

/// A tensor that a target file needs and the source holds in another form.
public struct GeneratedTensor: Sendable {
  public let name: String
  public let shape: [Int]
  public let values: [Float]
}

extension ModelSource {
  /// Every tensor under its name in `target`, in the source's order.
  public func mapped(to target: TensorNaming) -> [MappedTensor] {
    guard let family else {
      return checkpoint.tensors.map { record in
        MappedTensor(
          origin: TensorOrigin(record), id: TensorID(.unknown, name: record.name),
          name: record.name, shape: record.shape, isTransposedWhenPlain: false)
      }
    }
    let map = NameMap(family.architecture.names, naming: target)
    var seen = Set<TensorID>()
    var mapped: [MappedTensor] = []
    for record in checkpoint.tensors {
      for id in places[record.name] ?? [] where records[id] != nil {
        let target = map.holdsAllExperts(id.role) ? id.ofAllExperts : id
        guard seen.insert(target).inserted, let name = map.name(of: target) else { continue }
        mapped.append(tensor(target, name, family, map.naming))
      }
    }
    return mapped
  }

  /// The tensor `id`, or those of all experts, in the naming `target`.
  private func tensor(
    _ id: TensorID, _ name: String, _ family: ModelFamily, _ target: TensorNaming
  ) -> MappedTensor {
    let isStack = id.role.isExpert && id.expert == nil
    let ids = isStack ? (0..<family.config.expertCount).map { id.expert($0) } : [id]
    let parts = ids.compactMap { records[$0] }
    var order = RowOrder.same
    var offset: Float = 0
    let difference = family.difference(of: id)
    let headRowCount = family.config.headFeatureCount
    switch (difference, target == naming) {
    case (.none, _), (.rotaryRows, true), (.lessOne, true): break
    case (.rotaryRows, false):
      order =
        naming == .huggingFace
        ? .interleaved(headRowCount: headRowCount) : .halves(headRowCount: headRowCount)
    case (.lessOne, false): offset = naming == .huggingFace ? 1 : -1
    case (.transposed, _): if isTransposed(parts[0]) { order = .transposed }
    }
    var shape = order == .transposed ? parts[0].shape.reversed() : parts[0].shape
    if isStack { shape.insert(parts.count, at: 0) }
    return MappedTensor(
      origin: TensorOrigin(parts, order: order, offset: offset), id: id, name: name, shape: shape,
      isTransposedWhenPlain: difference == .transposed && target == .huggingFace)
  }

  /// Whether a matrix that Hugging Face transposes stands so in this source: quantized ones never do.
  func isTransposed(_ record: TensorRecord) -> Bool {
    if case .plain = record.type { naming == .huggingFace } else { false }
  }

  /// Tensors that files in the naming `target` hold beyond the mapped ones.
  public func generatedTensors(for target: TensorNaming) -> [GeneratedTensor] {
    guard target == .gguf, let rope = family?.config.rope else { return [] }
    return rope.ggufTensors.map {
      GeneratedTensor(name: $0.name, shape: [$0.values.count], values: $0.values)
    }
  }
}

extension TensorID {
  /// The tensor of one expert.
  func expert(_ index: Int) -> TensorID {
    var id = self
    id.expert = index
    return id
  }
}
