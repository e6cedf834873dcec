/// Two neighbouring tokens that merge into a third.
struct Merge: Hashable, Sendable {
  var left: Int32
  var right: Int32
  var result: Int32
}

/// The merges of a byte-pair model, found by their pair.
struct MergeTable: Sendable {
  struct Entry {
    var pair: UInt64
    /// Lower merges first; ``none`` when the pair does not merge.
    var priority: UInt32
    var result: Int32
  }

  static let none = UInt32.max
  private static let free = UInt64.max

  private var slots: [Entry]

  /// - Parameters:
  ///   - merges: a later merge replaces an earlier one of the same pair.
  ///   - priorities: one for each merge; empty means their order.
  init(_ merges: [Merge], priorities: [UInt32]) {
    var count = 16
    while count < merges.count * 2 { count *= 2 }
    slots = [Entry](
      repeating: Entry(pair: Self.free, priority: Self.none, result: -1), count: count)
    for (rank, merge) in merges.enumerated() {
      let pair = Self.pair(merge.left, merge.right)
      slots[slot(of: pair)] = Entry(
        pair: pair, priority: priorities.isEmpty ? UInt32(rank) : priorities[rank],
        result: merge.result)
    }
  }

  /// The merge of two neighbours; its priority is ``none`` when there is none.
  @inline(__always)
  func find(_ left: Int32, _ right: Int32) -> Entry {
    let pair = Self.pair(left, right)
    return slots[slot(of: pair)]
  }

  @inline(__always)
  private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  private func slot(of pair: UInt64) -> Int {
    var hash = pair &* 0x9E37_79B9_7F4A_7C15
    hash ^= hash >> 32
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[slot].pair != pair, slots[slot].pair != Self.free {
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }
}
