/// A known architecture with the numbers of one model.
struct ModelFamily: Sendable {
  let architecture: any Architecture.Type
  var config: ModelConfig

  /// How a tensor in a Hugging Face folder differs from the one in a GGUF file.
  func difference(of id: TensorID) -> RoleName.Difference {
    let difference = architecture.names.first { $0.role == id.role }?.difference ?? .none
    return id.part == .weight || difference == .rotaryRows ? difference : .none
  }

  /// The tensors that the model must have.
  var requiredTensors: [TensorID] {
    architecture.names.flatMap { name -> [TensorID] in
      if name.role == .output, config.hasTiedEmbeddings { return [] }
      let parts: [TensorID.Part] = name.needsBias ? [.weight, .bias] : [.weight]
      return parts.flatMap { part in
        places(of: name).map { TensorID(name.role, block: $0.block, expert: $0.expert, part: part) }
      }
    }
  }

  /// The blocks and experts that have a tensor.
  private func places(of name: RoleName) -> [(block: Int?, expert: Int?)] {
    guard name.gguf.hasPrefix("blk.") else { return [(nil, nil)] }
    return (0..<config.blockCount).flatMap { block -> [(block: Int?, expert: Int?)] in
      switch (name.presence, config.hasExperts(inBlock: block)) {
      case (.withExperts, false), (.withoutExperts, true): return []
      case (.all, _), (.withExperts, true), (.withoutExperts, false): break
      }
      guard name.role.isExpert else { return [(block, nil)] }
      return (0..<config.expertCount).map { (block, $0) }
    }
  }
}
