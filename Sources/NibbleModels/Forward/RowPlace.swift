/// Where a row of a pass stands: whose keys and values it sees, and its position among them.
struct RowPlace {
  let cache: KeyValueCache
  let position: Int
}

extension ModelConfig {
  /// What tells the rotary embeddings of two sequence lengths apart: where it is the same, positions turn alike.
  func ropeVariants(sequenceCount: Int) -> [Int] {
    [rope, windowRope].map { $0?.variant(sequenceCount: sequenceCount) ?? 0 }
  }
}
