internal import NibbleCheckpoints
internal import NibbleModels

/// The tensors that two models share, by their names in GGUF files, and what either lacks.
struct TensorPairing {
  struct Pair {
    var judged: TensorTask
    var reference: TensorTask
  }

  private(set) var pairs: [Pair] = []
  private(set) var failures: [String] = []

  init(_ judged: [MappedTensor], _ reference: [MappedTensor]) {
    var rest = Dictionary(
      reference.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for tensor in judged.sorted(by: { ggufOrder($0.name) < ggufOrder($1.name) }) {
      guard let original = rest.removeValue(forKey: tensor.name) else {
        failures.append("\(tensor.name) is not in the reference")
        continue
      }
      guard tensor.shape == original.shape else {
        failures.append(
          "\(tensor.name) has shape \(tensor.shape), the reference's is \(original.shape)")
        continue
      }
      guard RowCodec.canDecode(tensor.type), RowCodec.canDecode(original.type) else {
        failures.append("\(tensor.name) cannot be decoded from \(tensor.type.name)")
        continue
      }
      let pair = Pair(
        judged: TensorTask(tensor, type: tensor.type, reason: nil),
        reference: TensorTask(original, type: original.type, reason: nil))
      guard pair.judged.columnCount == pair.reference.columnCount else {
        failures.append("\(tensor.name) is a vector of \(tensor.type.name) blocks")
        continue
      }
      pairs.append(pair)
    }
    for name in rest.keys.sorted(by: { ggufOrder($0) < ggufOrder($1) }) {
      failures.append("\(name) is missing")
    }
  }

  /// Scales the reference's tensors as the judged ones were.
  mutating func scale(by scaling: ChannelScaling, of reference: ModelSource) {
    for index in pairs.indices {
      pairs[index].reference = pairs[index].reference.scaled(by: scaling, of: reference, in: .gguf)
    }
  }
}
