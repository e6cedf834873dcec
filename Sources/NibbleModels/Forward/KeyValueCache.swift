/// The keys and values of all positions so far, in half precision, for every block and key-value head.
///
/// One head's keys are contiguous, `[positions, head size]`, so that attention streams through them.
final class KeyValueCache {
  /// Positions that fit.
  let capacity: Int
  /// Positions that are filled.
  var count = 0
  private let headCount: Int
  private let headFeatureCount: Int
  private let memory: UnsafeMutablePointer<UInt16>

  /// Memory is reserved at once and becomes resident only as positions are filled.
  init(config: ModelConfig, capacity: Int) {
    self.capacity = capacity
    headCount = config.keyValueHeadCount
    headFeatureCount = config.headFeatureCount
    let total = 2 * config.blockCount * headCount * capacity * headFeatureCount
    memory = UnsafeMutableRawPointer.allocate(byteCount: 2 * total, alignment: 64)
      .bindMemory(to: UInt16.self, capacity: total)
  }

  deinit { UnsafeMutableRawPointer(memory).deallocate() }

  /// Half-precision keys of one head, `[capacity, head size]`.
  func keys(block: Int, head: Int) -> UnsafeMutablePointer<UInt16> { plane(2 * block, head) }

  /// Half-precision values of one head, `[capacity, head size]`.
  func values(block: Int, head: Int) -> UnsafeMutablePointer<UInt16> { plane(2 * block + 1, head) }

  private func plane(_ index: Int, _ head: Int) -> UnsafeMutablePointer<UInt16> {
    memory + (index * headCount + head) * capacity * headFeatureCount
  }
}
