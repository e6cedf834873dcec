internal import NibbleCheckpoints
internal import NibbleModels

/// Which tensors of which files belong together.
struct ComparisonPlan {
  /// A tensor of the original with its counterparts.
  struct Row {
    var name: String
    var role: WeightRole
    var block: Int?
    var original: Side
    /// One for each candidate; nil where there is none that can be compared.
    var candidates: [Side?]
    /// Elements that count as a row on all sides.
    var columnCount: Int
  }

  /// One file's form of a tensor.
  struct Side {
    var origin: TensorOrigin
    /// Dimensions, slowest first.
    var shape: [Int]
  }

  private(set) var rows: [Row] = []
  /// For each candidate.
  private(set) var missing: [[String]]
  private(set) var additional: [[String]] = []
  private(set) var incomparable: [[String]]

  /// Pairs tensors by their place in the model, or by name where any of the files is not understood.
  init(_ original: OpenedModel, _ candidates: [OpenedModel]) {
    let isUnderstood = ([original] + candidates).allSatisfy { $0.source?.config != nil }
    missing = candidates.map { _ in [] }
    incomparable = candidates.map { _ in [] }
    var rest = candidates.map { Self.entries($0, isUnderstood) }
    var places = rest.map { entries in
      Dictionary(
        entries.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }
    var matched = rest.map { _ in Set<String>() }
    for entry in Self.entries(original, isUnderstood) {
      var row = Row(
        name: entry.name, role: entry.role, block: entry.block, original: entry.side,
        candidates: [], columnCount: entry.side.shape.last ?? 1)
      for index in candidates.indices {
        guard let place = places[index][entry.name] else {
          missing[index].append(entry.name)
          row.candidates.append(nil)
          continue
        }
        matched[index].insert(entry.name)
        let side = rest[index][place].side
        if let reason = Self.obstacle(entry.side, side) {
          incomparable[index].append("\(entry.name) \(reason)")
          row.candidates.append(nil)
        } else {
          row.candidates.append(side)
        }
      }
      if ([row.original] + row.candidates.compactMap(\.self)).contains(where: {
        $0.origin.order != .same
      }), entry.side.shape.count < 2 {
        row.columnCount = 1
      }
      rows.append(row)
    }
    additional = rest.indices.map { index in
      rest[index].map(\.name).filter { !matched[index].contains($0) }
    }
    rest = []
    places = []
  }

  private struct Entry {
    var name: String
    var role: WeightRole
    var block: Int?
    var side: Side
  }

  private static func entries(_ model: OpenedModel, _ isUnderstood: Bool) -> [Entry] {
    if isUnderstood, let source = model.source {
      return source.mapped(to: .gguf).map { tensor in
        Entry(
          name: tensor.name, role: WeightRole(tensor.id), block: tensor.id.block,
          side: Side(origin: tensor.origin, shape: tensor.shape))
      }
    }
    let ids = model.ids
    return model.checkpoint.tensors.map { record in
      let id = ids[record.name]
      return Entry(
        name: record.name, role: id.map(WeightRole.init) ?? .other,
        block: id.map(\.block) ?? blockIndex(inName: record.name),
        side: Side(origin: TensorOrigin(record), shape: record.shape))
    }
  }

  /// Why two tensors cannot be compared; nil when they can.
  private static func obstacle(_ original: Side, _ candidate: Side) -> String? {
    guard original.shape == candidate.shape else {
      return "has shape \(candidate.shape), the original's is \(original.shape)"
    }
    for side in [original, candidate] {
      guard RowCodec.canDecode(side.origin.type) else {
        return "cannot be decoded from \(side.origin.type.name)"
      }
      if side.origin.order != .same, side.shape.count < 2, case .blocks = side.origin.type {
        return "is a vector of \(side.origin.type.name) blocks in another order"
      }
    }
    return nil
  }
}
