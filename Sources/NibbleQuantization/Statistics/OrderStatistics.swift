/// Values by their rank, without sorting the whole buffer.
enum OrderStatistics {
  /// Below this many values a sort is quicker than clearing the counters.
  private static let sortLimit = 1 << 15
  /// Upper halves of keys that one pass resolves, to bound the memory for counters.
  private static let slotLimit = 32

  /// The values that stand at some ranks in ascending order.
  ///
  /// Keys are counted by their upper 16 bits, which places each rank in one of 65,536 classes; a second pass counts the
  /// lower 16 bits within the classes that hold a rank.
  ///
  /// - Parameters:
  ///   - ranks: ascending, each below the number of values.
  ///   - values: in any order.
  /// - Returns: the value of each rank, or nil when a value is NaN.
  static func select(_ ranks: [Int], of values: UnsafeBufferPointer<Float>) -> [Int: Float]? {
    if values.count < sortLimit { return selectBySorting(ranks, of: values) }
    var classCounts = [Int](repeating: 0, count: 1 << 16)
    var hasNaN = false
    classCounts.withUnsafeMutableBufferPointer { counts in
      for value in values {
        hasNaN = hasNaN || value.isNaN
        counts[Int(OrderedValues.key(value) >> 16)] &+= 1
      }
    }
    if hasNaN { return nil }

    var result: [Int: Float] = [:]
    var below = 0
    var upper = 0
    // Ranks by class: the class, and how many values lie below it.
    var pending: [(upper: Int, below: Int, ranks: [Int])] = []
    for rank in ranks {
      while below + classCounts[upper] <= rank {
        below += classCounts[upper]
        upper += 1
      }
      if pending.last?.upper == upper {
        pending[pending.count - 1].ranks.append(rank)
      } else {
        pending.append((upper, below, [rank]))
      }
    }
    for first in stride(from: 0, to: pending.count, by: slotLimit) {
      let part = pending[first..<min(first + slotLimit, pending.count)]
      let counts = countLowerHalves(of: values, classes: part.map(\.upper))
      for (slot, entry) in part.enumerated() {
        var reached = entry.below
        var lower = 0
        for rank in entry.ranks {
          while reached + counts[slot << 16 + lower] <= rank {
            reached += counts[slot << 16 + lower]
            lower += 1
          }
          result[rank] = OrderedValues.value(UInt32(entry.upper << 16 | lower))
        }
      }
    }
    return result
  }

  private static func countLowerHalves(
    of values: UnsafeBufferPointer<Float>, classes: [Int]
  ) -> [Int] {
    var slots = [Int32](repeating: -1, count: 1 << 16)
    for (slot, upper) in classes.enumerated() { slots[upper] = Int32(slot) }
    var counts = [Int](repeating: 0, count: classes.count << 16)
    counts.withUnsafeMutableBufferPointer { counts in
      slots.withUnsafeBufferPointer { slots in
        for value in values {
          let key = OrderedValues.key(value)
          let slot = Int(slots[Int(key >> 16)])
          if slot >= 0 { counts[slot << 16 | Int(key & 0xFFFF)] &+= 1 }
        }
      }
    }
    return counts
  }

  private static func selectBySorting(
    _ ranks: [Int], of values: UnsafeBufferPointer<Float>
  ) -> [Int: Float]? {
    if values.contains(where: \.isNaN) { return nil }
    var pairs = values.map { UInt64(OrderedValues.key($0)) << 32 }
    OrderedValues.sortByUpperWord(&pairs)
    return [Int: Float](
      uniqueKeysWithValues: ranks.map { ($0, OrderedValues.value(UInt32(pairs[$0] >> 32))) })
  }
}
