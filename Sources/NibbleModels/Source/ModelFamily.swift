/// A known architecture with the numbers of one model.
struct ModelFamily: Sendable {
  let architecture: any Architecture.Type
  var config: ModelConfig

  /// How a tensor in a Hugging Face folder differs from the one in a GGUF file.
  func difference(of id: TensorID) -> RoleName.Difference {
    let difference = architecture.names.first { $0.role == id.role }?.difference ?? .none
    return id.part == .weight || difference == .rotaryRows ? difference : .none
  }

  /// The first tensor that the model must have and that is not there; nil when all are.
  ///
  /// It stops at the first, since a configuration may claim any number of blocks and experts.
  func firstMissing(isThere: (TensorID) -> Bool) -> TensorID? {
    for name in architecture.names {
      if name.role == .output, config.hasTiedEmbeddings { continue }
      for part in name.needsBias ? [TensorID.Part.weight, .bias] : [.weight] {
        if let id = firstMissing(name, part, isThere) { return id }
      }
    }
    return nil
  }

  private func firstMissing(
    _ name: RoleName, _ part: TensorID.Part, _ isThere: (TensorID) -> Bool
  ) -> TensorID? {
    guard name.gguf.hasPrefix("blk.") else {
      let id = TensorID(name.role, part: part)
      return isThere(id) ? nil : id
    }
    for block in 0..<config.blockCount where name.isPresent(config.hasExperts(inBlock: block)) {
      for expert in 0..<(name.role.isExpert ? config.expertCount : 1) {
        let id = TensorID(
          name.role, block: block, expert: name.role.isExpert ? expert : nil, part: part)
        if !isThere(id) { return id }
      }
    }
    return nil
  }
}
