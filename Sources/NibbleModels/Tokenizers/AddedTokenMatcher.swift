/// Finds added tokens in text: the leftmost, and of those the longest.
struct AddedTokenMatcher: Sendable {
  /// A stretch of text, or an added token.
  struct Segment {
    var range: Range<Int>
    /// Which token the stretch is; nil for text.
    var token: Int?
  }

  private struct Node {
    var byte: UInt8
    var firstChild: Int32 = -1
    var nextSibling: Int32 = -1
    /// Position in `tokens` of the token that ends here, -1 for none.
    var token: Int32 = -1
  }

  /// A trie; node 0 is the root.
  private var nodes = [Node(byte: 0)]
  private var startsToken = [Bool](repeating: false, count: 256)
  private var tokens: [AddedToken] = []

  var isEmpty: Bool { tokens.isEmpty }

  /// Prepares the search for `tokens`, whose text `normalize` changes first.
  init(_ tokens: [AddedToken], normalize: ([UInt8]) -> [UInt8] = { $0 }) {
    for token in tokens {
      let content = Array(token.content.utf8)
      let bytes = token.isVerbatim ? content : normalize(content)
      if !bytes.isEmpty { insert(bytes, token) }
    }
  }

  private mutating func insert(_ bytes: [UInt8], _ token: AddedToken) {
    startsToken[Int(bytes[0])] = true
    var node = 0
    for byte in bytes {
      if let child = child(of: node, byte) {
        node = child
      } else {
        nodes.append(Node(byte: byte, nextSibling: nodes[node].firstChild))
        nodes[node].firstChild = Int32(nodes.count - 1)
        node = nodes.count - 1
      }
    }
    nodes[node].token = Int32(tokens.count)
    tokens.append(token)
  }

  private func child(of node: Int, _ byte: UInt8) -> Int? {
    var child = nodes[node].firstChild
    while child >= 0, nodes[Int(child)].byte != byte { child = nodes[Int(child)].nextSibling }
    return child < 0 ? nil : Int(child)
  }

  /// The longest token that starts at `start`.
  private func longestToken(_ bytes: Span<UInt8>, _ start: Int) -> (token: AddedToken, end: Int)? {
    var node = 0
    var place = start
    var found: (token: AddedToken, end: Int)?
    while place < bytes.count, let child = child(of: node, bytes[place]) {
      node = child
      place += 1
      if nodes[node].token >= 0 { found = (tokens[Int(nodes[node].token)], place) }
    }
    return found
  }

  /// Cuts all of `bytes` into text and added tokens; special ones stay text where `includesSpecial` is false.
  func split(_ bytes: Span<UInt8>, includesSpecial: Bool) -> [Segment] {
    guard !isEmpty else { return [Segment(range: 0..<bytes.count)] }
    var segments: [Segment] = []
    var textStart = 0
    var place = 0
    while place < bytes.count {
      guard startsToken[Int(bytes[place])], let (token, end) = longestToken(bytes, place) else {
        place += 1
        continue
      }
      let start = place
      place = end
      if token.isSpecial, !includesSpecial { continue }
      if token.isSingleWord, hasWordBeside(bytes, start..<end) { continue }
      // White space that the token before swallowed is gone already.
      guard start >= textStart else { continue }
      let first = token.stripsLeft ? max(spaceStart(bytes, start), textStart) : start
      let last = token.stripsRight ? spaceEnd(bytes, end) : end
      if textStart < first { segments.append(Segment(range: textStart..<first)) }
      segments.append(Segment(range: first..<last, token: token.id))
      textStart = last
    }
    if textStart < bytes.count { segments.append(Segment(range: textStart..<bytes.count)) }
    return segments
  }

  private func hasWordBeside(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let classes = UnicodeClasses.shared
    if range.upperBound < bytes.count,
      classes.at(bytes, range.upperBound).classes & UnicodeClasses.word != 0
    {
      return true
    }
    guard range.lowerBound > 0 else { return false }
    let before = scalarStart(bytes, before: range.lowerBound)
    return classes.at(bytes, before).classes & UnicodeClasses.word != 0
  }

  private func spaceStart(_ bytes: Span<UInt8>, _ end: Int) -> Int {
    let classes = UnicodeClasses.shared
    var place = end
    while place > 0 {
      let before = scalarStart(bytes, before: place)
      guard classes.at(bytes, before).classes & UnicodeClasses.space != 0 else { break }
      place = before
    }
    return place
  }

  private func spaceEnd(_ bytes: Span<UInt8>, _ start: Int) -> Int {
    UnicodeClasses.shared.runEnd(
      bytes, start, bytes.count, of: UnicodeClasses.space, among: UnicodeClasses.space)
  }

  private func scalarStart(_ bytes: Span<UInt8>, before end: Int) -> Int {
    var place = end - 1
    while place > 0, bytes[place] & 0xC0 == 0x80 { place -= 1 }
    return place
  }
}
