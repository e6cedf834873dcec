extension KeyValueCache {
  /// The memory that is reserved, in bytes.
  ///
  /// - Parameter config: the shape of the heads, as at the start.
  /// - Returns: bytes of keys and values of ``capacity`` positions.
  func byteCount(_ config: ModelConfig) -> Int {
    2 * config.blockCount * config.keyValueHeadCount * headByteCount(positions: capacity)
  }

  /// Takes over the first positions of another cache of the same model and type, in place of its own.
  ///
  /// - Parameters:
  ///   - count: positions, at most those that are filled there and fit here.
  ///   - other: where they are.
  ///   - config: the shape of the heads, as at the start.
  func takeOver(_ count: Int, of other: KeyValueCache, _ config: ModelConfig) {
    precondition(type == other.type && count <= capacity && count <= other.count)
    let byteCount = headByteCount(positions: count)
    for block in 0..<config.blockCount {
      for head in 0..<config.keyValueHeadCount {
        UnsafeMutableRawPointer(mutating: keys(block: block, head: head)).copyMemory(
          from: other.keys(block: block, head: head), byteCount: byteCount)
        UnsafeMutableRawPointer(mutating: values(block: block, head: head)).copyMemory(
          from: other.values(block: block, head: head), byteCount: byteCount)
      }
    }
    self.count = count
  }

  /// Bytes of one head's keys, or of its values, over some positions.
  private func headByteCount(positions count: Int) -> Int {
    keys(block: 0, head: 0).distance(to: keys(block: 0, head: 0, from: count))
  }
}
