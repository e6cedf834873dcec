internal import CNibbleKernels
internal import NibbleTensors

/// The keys and values of all positions so far, for every block and key-value head.
///
/// One head's keys are contiguous, a row a position, so that attention streams through them.
final class KeyValueCache {
  /// The format of keys and values.
  let type: CacheType
  /// Positions that fit.
  let capacity: Int
  /// Positions that are filled.
  var count = 0
  private let headCount: Int
  private let headFeatureCount: Int
  /// Bytes of one head's key or value at one position.
  private let rowByteCount: Int
  private let memory: UnsafeMutableRawPointer

  /// Memory is reserved at once and becomes resident only as positions are filled.
  ///
  /// - Parameters:
  ///   - config: the shape of the heads.
  ///   - capacity: positions that fit.
  ///   - type: the format of keys and values.
  ///   - blockCount: blocks that have keys and values at the same time; nil = all.
  init(config: ModelConfig, capacity: Int, type: CacheType, blockCount: Int? = nil) {
    self.type = type
    self.capacity = capacity
    headCount = config.keyValueHeadCount
    headFeatureCount = config.headFeatureCount
    rowByteCount = type.rowByteCount(featureCount: headFeatureCount)
    let rowCount = 2 * (blockCount ?? config.blockCount) * headCount * capacity
    memory = .allocate(byteCount: rowByteCount * rowCount, alignment: 64)
  }

  deinit { memory.deallocate() }

  /// Keys of one head from a position on, `capacity - first` rows of ``type``.
  func keys(block: Int, head: Int, from first: Int = 0) -> UnsafeRawPointer {
    UnsafeRawPointer(row(block: block, part: 0, head, position: first))
  }

  /// Values of one head from a position on, `capacity - first` rows of ``type``.
  func values(block: Int, head: Int, from first: Int = 0) -> UnsafeRawPointer {
    UnsafeRawPointer(row(block: block, part: 1, head, position: first))
  }

  /// Writes one head's key and value, `[head size]` each, at `position`.
  func store(
    key: UnsafePointer<Float>, value: UnsafePointer<Float>, block: Int, head: Int, position: Int
  ) {
    precondition(position < capacity)
    encode(key, into: row(block: block, part: 0, head, position: position))
    encode(value, into: row(block: block, part: 1, head, position: position))
  }

  /// One position of one head; part 0 is its key, 1 its value.
  private func row(
    block: Int, part: Int, _ head: Int, position: Int
  ) -> UnsafeMutableRawPointer {
    let plane = (2 * block + part) * headCount + head
    return memory + (plane * capacity + position) * rowByteCount
  }

  private func encode(_ features: UnsafePointer<Float>, into row: UnsafeMutableRawPointer) {
    switch type {
    case .float16:
      Half.encode(
        features, count: headFeatureCount,
        into: row.bindMemory(to: UInt16.self, capacity: headFeatureCount))
    case .bfloat16:
      BFloat16.encode(
        features, count: headFeatureCount,
        into: row.bindMemory(to: UInt16.self, capacity: headFeatureCount))
    case .float32:
      row.copyMemory(from: features, byteCount: rowByteCount)
    case .blocks8:
      nk_attention_round(
        features, headFeatureCount, row.bindMemory(to: UInt8.self, capacity: rowByteCount))
    }
  }
}
