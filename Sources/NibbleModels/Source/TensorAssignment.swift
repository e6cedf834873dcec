internal import NibbleCheckpoints
internal import NibbleTensors

/// Finds each tensor's role, and checks that none is missing and all shapes fit the configuration.
struct TensorAssignment {
  private(set) var records: [TensorID: TensorRecord] = [:]
  private(set) var places: [String: [TensorID]] = [:]
  private(set) var notes: [String] = []

  /// - Throws: ``ModelError`` that names the tensor.
  init(
    _ checkpoint: Checkpoint, _ family: inout ModelFamily, _ naming: TensorNaming
  ) throws(ModelError) {
    let map = NameMap(family.architecture.names, naming: naming)
    let otherCount = try assign(checkpoint, family, map)
    if otherCount > 0 {
      notes.append(
        "\(otherCount) tensors belong to parts that are not the text model; they are left out")
    }
    if records[TensorID(.output)] == nil {
      family.config.hasTiedEmbeddings = true
    } else if family.config.hasTiedEmbeddings {
      let name = places.first { $0.value.first == TensorID(.output) }?.key ?? "the output matrix"
      notes.append("\(name) is ignored: the configuration ties it to the embeddings")
      records[TensorID(.output)] = nil
    }
    if let id = family.firstMissing(isThere: { records[$0] != nil }) {
      throw ModelError(.missing, "the tensor \(map.name(of: id) ?? "\(id)") is missing")
    }
    for (id, record) in records { try requireShape(id, record, family, naming) }
    try requireOneTypePerStack()
  }

  /// Gives every tensor its place.
  ///
  /// - Returns: how many tensors belong to other parts, such as an image encoder.
  private mutating func assign(
    _ checkpoint: Checkpoint, _ family: ModelFamily, _ map: NameMap
  ) throws(ModelError) -> Int {
    var otherCount = 0
    for record in checkpoint.tensors where !Self.isDerived(record.name) {
      guard let meaning = map.meaning(of: record.name),
        (meaning.ids[0].block ?? 0) < family.config.blockCount
      else {
        if family.architecture.otherParts.contains(where: record.name.hasPrefix) {
          otherCount += 1
          continue
        }
        throw ModelError(
          .unsupported,
          "the tensor \(record.name) is not one of architecture \(family.config.architecture)")
      }
      var ids: [TensorID] = []
      for (id, part) in try parts(of: record, meaning, family.config) {
        guard records.updateValue(part, forKey: id) == nil else {
          throw ModelError(.malformed, "the tensor \(record.name) stands twice under two names")
        }
        ids.append(id)
      }
      places[record.name] = ids
    }
    return otherCount
  }

  /// Tensors that other keys determine: rotary factors and causal masks.
  private static func isDerived(_ name: String) -> Bool {
    RopeConfig.ggufTensorNames.contains(name) || name.hasSuffix("rotary_emb.inv_freq")
      || name.hasSuffix(".attn.bias") || name.hasSuffix(".attn.masked_bias")
  }

  /// The tensors of the model that a stored one holds.
  private func parts(
    of record: TensorRecord, _ meaning: NameMap.Meaning, _ config: ModelConfig
  ) throws(ModelError) -> [(TensorID, TensorRecord)] {
    guard meaning.holdsAllExperts else { return [(meaning.ids[0], record)] }
    let shapes = meaning.ids.map { $0.role.shape(config) }
    let rowCount = shapes.reduce(0) { $0 + $1[0] }
    let expected = [config.expertCount, rowCount, shapes[0][1]]
    try require(
      record.shape == expected,
      "the tensor \(record.name) has shape \(record.shape), the configuration says \(expected)")
    var parts: [(TensorID, TensorRecord)] = []
    var first = 0
    for expert in 0..<config.expertCount {
      for (id, shape) in zip(meaning.ids, shapes) {
        parts.append((id.expert(expert), try record.rows(first..<first + shape[0], shape: shape)))
        first += shape[0]
      }
    }
    return parts
  }

  private func requireShape(
    _ id: TensorID, _ record: TensorRecord, _ family: ModelFamily, _ naming: TensorNaming
  ) throws(ModelError) {
    var expected = id.role.shape(family.config)
    if id.part == .bias {
      try require(
        record.shape == [expected[0]],
        "the tensor \(record.name) has shape \(record.shape), not [\(expected[0])]")
      return
    }
    if case .plain = record.type, naming == .huggingFace, family.difference(of: id) == .transposed {
      expected.reverse()
    }
    try require(
      record.shape == expected,
      "the tensor \(record.name) has shape \(record.shape), the configuration says \(expected)")
  }

  /// Experts that one tensor holds in some naming must be stored alike.
  private func requireOneTypePerStack() throws(ModelError) {
    var types: [TensorID: TensorRecord] = [:]
    for (id, record) in records where id.role.isExpert {
      let known = types[id.ofAllExperts] ?? record
      types[id.ofAllExperts] = known
      guard known.type == record.type else {
        throw ModelError(
          .unsupported,
          "the experts \(known.name) and \(record.name) are stored as \(known.type.name) and \(record.type.name)"
        )
      }
    }
  }
}

extension TensorRecord {
  /// Some of the rows as a tensor of their own.
  ///
  /// - Throws: ``ModelError/Code/unsupported`` where rows share scales with others.
  fileprivate func rows(_ rows: Range<Int>, shape: [Int]) throws(ModelError) -> TensorRecord {
    guard parts.count == 1, rowCount > 0, bytes.count % rowCount == 0 else {
      throw ModelError(
        .unsupported, "the tensor \(name) holds several experts and is stored as \(type.name)")
    }
    let width = bytes.count / rowCount
    return TensorRecord(
      name: name, shape: shape, type: type,
      bytes: bytes[rows.lowerBound * width..<rows.upperBound * width])
  }
}
