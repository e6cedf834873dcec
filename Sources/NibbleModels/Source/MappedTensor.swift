public import NibbleCheckpoints

/// The order of a tensor's rows in a target file, relative to the source.
///
/// GGUF files of the llama architecture keep the rows of Q and K so that the features that turn together are neighbours;
/// Hugging Face keeps them half a head apart.
public enum RowOrder: Sendable, Equatable {
  case same
  /// Hugging Face to GGUF: row `2i + p` of a head comes from row `p · size / 2 + i`.
  case interleaved(headRowCount: Int)
  /// GGUF to Hugging Face: row `p · size / 2 + i` of a head comes from row `2i + p`.
  case halves(headRowCount: Int)

  /// The source row that holds target row `row`.
  public func sourceRow(_ row: Int) -> Int {
    switch self {
    case .same: return row
    case .interleaved(let count):
      let (head, inside) = row.quotientAndRemainder(dividingBy: count)
      return head * count + inside % 2 * (count / 2) + inside / 2
    case .halves(let count):
      let (head, inside) = row.quotientAndRemainder(dividingBy: count)
      return head * count + inside % (count / 2) * 2 + inside / (count / 2)
    }
  }
}

/// A tensor of a source under its name and row order in a target naming.
public struct MappedTensor: Sendable {
  /// The tensor in the source.
  public let record: TensorRecord
  public let id: TensorID
  /// The name in the target naming.
  public let name: String
  /// The order of the target's rows. For a one-dimensional tensor (a bias) it orders the elements.
  public let rowOrder: RowOrder

  /// Dimensions, slowest first; the same in source and target.
  public var shape: [Int] { record.shape }
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
    let map = NameMap(architecture.names, naming: target)
    let ids = Dictionary(records.map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    return checkpoint.tensors.compactMap { record in
      guard let id = ids[record.name], let name = map.name(of: id) else { return nil }
      return MappedTensor(record: record, id: id, name: name, rowOrder: rowOrder(of: id, target))
    }
  }

  /// Tensors that files in the naming `target` hold beyond the mapped ones.
  public func generatedTensors(for target: TensorNaming) -> [GeneratedTensor] {
    guard target == .gguf, let divisors = config.rope.divisors else { return [] }
    return [GeneratedTensor(name: "rope_freqs.weight", shape: [divisors.count], values: divisors)]
  }

  private func rowOrder(of id: TensorID, _ target: TensorNaming) -> RowOrder {
    guard target != naming, architecture.ggufPairing == .interleaved,
      architecture.names.contains(where: { $0.role == id.role && $0.hasRotaryRows })
    else { return .same }
    let count = config.headFeatureCount
    return target == .gguf ? .interleaved(headRowCount: count) : .halves(headRowCount: count)
  }
}
