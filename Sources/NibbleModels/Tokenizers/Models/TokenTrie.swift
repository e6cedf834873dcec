/// Byte strings and the tokens that they spell, walked byte by byte.
///
/// The children of a node stand side by side in order of their bytes, so a step is a short scan; nodes are laid out level
/// by level.
struct TokenTrie: Sendable {
  private var bytes: [UInt8] = [0]
  /// Where the children of each node begin; those of the next node's begin where they end.
  private var firstChild: [Int32] = []
  /// The token that each node spells, -1 for none.
  private var tokens: [Int32] = [-1]

  /// - Parameter entries: spellings, none empty, none twice, and their tokens.
  init(_ entries: [(text: [UInt8], token: Int32)]) {
    let entries = entries.sorted { $0.text.lexicographicallyPrecedes($1.text) }
    // The entries below each node; node by node their children join the end of the list.
    var ranges = [0..<entries.count]
    var depths = [0]
    var node = 0
    while node < ranges.count {
      firstChild.append(Int32(ranges.count))
      let depth = depths[node]
      var place = ranges[node].lowerBound
      let end = ranges[node].upperBound
      if place < end, depth > 0, entries[place].text.count == depth { place += 1 }
      while place < end {
        let byte = entries[place].text[depth]
        var next = place + 1
        while next < end, entries[next].text[depth] == byte { next += 1 }
        bytes.append(byte)
        tokens.append(entries[place].text.count == depth + 1 ? entries[place].token : -1)
        ranges.append(place..<next)
        depths.append(depth + 1)
        place = next
      }
      node += 1
    }
    firstChild.append(Int32(ranges.count))
  }

  static let root: Int32 = 0

  /// The node below `node` for `byte`; -1 when there is none.
  @inline(__always)
  func child(of node: Int32, _ byte: UInt8) -> Int32 {
    var low = Int(firstChild[Int(node)])
    var high = Int(firstChild[Int(node) + 1])
    while high - low > 8 {
      let middle = (low + high) / 2
      if bytes[middle] <= byte { low = middle } else { high = middle }
    }
    while low < high {
      if bytes[low] == byte { return Int32(low) }
      low += 1
    }
    return -1
  }

  /// The token that `node` spells; -1 for none.
  @inline(__always)
  func token(at node: Int32) -> Int32 { tokens[Int(node)] }
}
