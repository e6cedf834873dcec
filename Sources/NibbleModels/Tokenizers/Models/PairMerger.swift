/// Applies merges to a row of symbols: the pair of lowest priority first, the leftmost among equals, until none is left.
///
/// Short rows are scanned for each merge; long ones keep a heap of pairs and a linked list of symbols, O(n log n).
/// A value holds the scratch memory of one encoding.
struct PairMerger {
  /// Rows longer than this use the heap.
  private static let longestScanned = 32

  /// The symbols to merge, then the merged ones.
  var symbols: [Int32] = []
  private var pairs: [MergeTable.Entry] = []
  private var next: [Int32] = []
  private var previous: [Int32] = []
  private var heap = PairHeap()

  /// Merges ``symbols`` in place.
  mutating func merge(with table: MergeTable) {
    guard symbols.count > 1 else { return }
    pairs.removeAll(keepingCapacity: true)
    for index in 1..<symbols.count { pairs.append(table.find(symbols[index - 1], symbols[index])) }
    if symbols.count <= Self.longestScanned {
      mergeScanning(table)
    } else {
      mergeWithHeap(table)
    }
  }

  private mutating func mergeScanning(_ table: MergeTable) {
    while true {
      var best = MergeTable.none
      var place = 0
      for index in pairs.indices where pairs[index].priority < best {
        best = pairs[index].priority
        place = index
      }
      guard best != MergeTable.none else { return }
      symbols[place] = pairs[place].result
      symbols.remove(at: place + 1)
      pairs.remove(at: place)
      if place < pairs.count { pairs[place] = table.find(symbols[place], symbols[place + 1]) }
      if place > 0 { pairs[place - 1] = table.find(symbols[place - 1], symbols[place]) }
    }
  }

  private mutating func mergeWithHeap(_ table: MergeTable) {
    let count = symbols.count
    next = (1...Int32(count)).map { $0 }
    previous = (-1..<Int32(count - 1)).map { $0 }
    pairs.append(table.find(-1, -1))
    heap.fill(pairs)
    while let (priority, place) = heap.pop() {
      // An entry is stale when its pair has changed since; a symbol that was merged away has no pair.
      guard pairs[place].priority == priority else { continue }
      let gone = Int(next[place])
      symbols[place] = pairs[place].result
      symbols[gone] = -1
      pairs[gone].priority = MergeTable.none
      let after = Int(next[gone])
      next[place] = Int32(after)
      if after < count {
        previous[after] = Int32(place)
        pairs[place] = table.find(symbols[place], symbols[after])
        heap.push(pairs[place].priority, place)
      } else {
        pairs[place].priority = MergeTable.none
      }
      let before = Int(previous[place])
      if before >= 0 {
        pairs[before] = table.find(symbols[before], symbols[place])
        heap.push(pairs[before].priority, before)
      }
    }
    symbols.removeAll { $0 < 0 }
  }
}

/// A binary heap of pairs, lowest priority first, leftmost among equals.
private struct PairHeap {
  /// Priority in the high half, place in the low half.
  private var keys: [UInt64] = []

  mutating func fill(_ pairs: [MergeTable.Entry]) {
    keys.removeAll(keepingCapacity: true)
    for (place, pair) in pairs.enumerated() where pair.priority != MergeTable.none {
      keys.append(UInt64(pair.priority) << 32 | UInt64(place))
    }
    var index = keys.count / 2
    while index > 0 {
      index -= 1
      sink(index)
    }
  }

  mutating func push(_ priority: UInt32, _ place: Int) {
    guard priority != MergeTable.none else { return }
    let key = UInt64(priority) << 32 | UInt64(place)
    var index = keys.count
    keys.append(key)
    while index > 0, keys[(index - 1) / 2] > key {
      keys[index] = keys[(index - 1) / 2]
      index = (index - 1) / 2
    }
    keys[index] = key
  }

  mutating func pop() -> (priority: UInt32, place: Int)? {
    guard let first = keys.first else { return nil }
    let last = keys.removeLast()
    if !keys.isEmpty {
      keys[0] = last
      sink(0)
    }
    return (UInt32(first >> 32), Int(first & 0xFFFF_FFFF))
  }

  private mutating func sink(_ start: Int) {
    let key = keys[start]
    var index = start
    while true {
      var child = index * 2 + 1
      guard child < keys.count else { break }
      if child + 1 < keys.count, keys[child + 1] < keys[child] { child += 1 }
      guard keys[child] < key else { break }
      keys[index] = keys[child]
      index = child
    }
    keys[index] = key
  }
}
