/// The tokens of pieces met before in one call of `encode`; natural text repeats most of its words.
///
/// Bounded: pieces longer than ``longestPiece`` are not kept, and a full cache stays as it is.
struct WordCache {
  static let longestPiece = 64
  private static let capacity = 1 << 16

  private struct Entry {
    var keyStart: Int32
    var keyCount: Int32
    var tokenStart: Int32
    var tokenCount: Int32
  }

  private var slots = [Int32](repeating: -1, count: 1 << 10)
  private var entries: [Entry] = []
  private var hashes: [UInt64] = []
  private var keys: [UInt8] = []
  private var tokens: [Int32] = []

  /// Appends the tokens of a piece that is known; returns false when it is not.
  func append(_ bytes: Span<UInt8>, _ range: Range<Int>, hash: UInt64, to result: inout [Int])
    -> Bool
  {
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[slot] >= 0 {
      let index = Int(slots[slot])
      if hashes[index] == hash, matches(entries[index], bytes, range) {
        let start = Int(entries[index].tokenStart)
        for place in start..<start + Int(entries[index].tokenCount) {
          result.append(Int(tokens[place]))
        }
        return true
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    return false
  }

  /// Remembers the tokens of a piece that ``append(_:_:hash:to:)`` did not find.
  mutating func insert(
    _ bytes: Span<UInt8>, _ range: Range<Int>, hash: UInt64, tokens new: ArraySlice<Int>
  ) {
    guard entries.count < Self.capacity else { return }
    entries.append(
      Entry(
        keyStart: Int32(keys.count), keyCount: Int32(range.count),
        tokenStart: Int32(tokens.count), tokenCount: Int32(new.count)))
    hashes.append(hash)
    for index in range { keys.append(bytes[index]) }
    for token in new { tokens.append(Int32(truncatingIfNeeded: token)) }
    if entries.count * 2 > slots.count {
      slots = [Int32](repeating: -1, count: slots.count * 2)
      for index in entries.indices { place(index) }
    } else {
      place(entries.count - 1)
    }
  }

  private mutating func place(_ index: Int) {
    var slot = Int(truncatingIfNeeded: hashes[index]) & (slots.count - 1)
    while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
    slots[slot] = Int32(index)
  }

  @inline(__always)
  private func matches(_ entry: Entry, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    guard Int(entry.keyCount) == range.count else { return false }
    let start = Int(entry.keyStart)
    for offset in 0..<range.count where keys[start + offset] != bytes[range.lowerBound + offset] {
      return false
    }
    return true
  }
}
