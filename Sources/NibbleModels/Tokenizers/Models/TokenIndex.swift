/// A map from byte strings to token ids that compares bytes, not canonically equivalent text.
struct TokenIndex: Sendable {
  private var bytes: [UInt8] = []
  private var starts: [Int] = [0]
  private var ids: [Int32] = []
  /// Open addressing with linear probing; an entry's index, -1 for a free slot.
  private var slots: [Int32]

  init(minimumCapacity: Int) {
    var count = 16
    while count < minimumCapacity * 2 { count *= 2 }
    slots = [Int32](repeating: -1, count: count)
    starts.reserveCapacity(minimumCapacity + 1)
    ids.reserveCapacity(minimumCapacity)
  }

  /// The keys of `tokens` by their position, for those that `include` accepts; later duplicates are left out.
  init(_ tokens: [String], where include: (Int) -> Bool = { _ in true }) {
    self.init(minimumCapacity: tokens.count)
    for (id, token) in tokens.enumerated() where include(id) {
      _ = insert(Array(token.utf8), Int32(id))
    }
  }

  /// Adds a key. Returns the id that holds the key already, and changes nothing, when there is one.
  mutating func insert(_ key: [UInt8], _ id: Int32) -> Int32? {
    let slot = slot(of: key.span, 0..<key.count)
    if slots[slot] >= 0 { return ids[Int(slots[slot])] }
    slots[slot] = Int32(ids.count)
    ids.append(id)
    bytes += key
    starts.append(bytes.count)
    if ids.count * 2 > slots.count { grow() }
    return nil
  }

  /// The id of a key; nil when it is absent.
  func find(_ text: Span<UInt8>, _ range: Range<Int>) -> Int32? {
    let entry = slots[slot(of: text, range)]
    return entry < 0 ? nil : ids[Int(entry)]
  }

  /// The id of a key; nil when it is absent.
  func find(_ key: [UInt8]) -> Int32? { find(key.span, 0..<key.count) }

  /// The id of a key; nil when it is absent.
  func find(_ text: String) -> Int32? { find(Array(text.utf8)) }

  private func slot(of text: Span<UInt8>, _ range: Range<Int>) -> Int {
    var slot = Int(truncatingIfNeeded: text.hash(range)) & (slots.count - 1)
    while slots[slot] >= 0, !matches(Int(slots[slot]), text, range) {
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  private func matches(_ entry: Int, _ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let start = starts[entry]
    guard starts[entry + 1] - start == range.count else { return false }
    for offset in 0..<range.count where bytes[start + offset] != text[range.lowerBound + offset] {
      return false
    }
    return true
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: slots.count * 2)
    for entry in ids.indices {
      let slot = slot(of: bytes.span, starts[entry]..<starts[entry + 1])
      slots[slot] = Int32(entry)
    }
  }
}

extension Span<UInt8> {
  /// A hash of the bytes in `range` (FNV-1a with a final mix).
  @inline(__always)
  func hash(_ range: Range<Int>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for index in range { hash = (hash ^ UInt64(self[index])) &* 0x100_0000_01B3 }
    hash ^= hash >> 32
    hash = hash &* 0x9E37_79B9_7F4A_7C15
    return hash ^ hash >> 29
  }
}
