/// Cuts text as ``KnownExpression/tekkenText`` or ``KnownExpression/o200kText`` does: words end where lower case turns into
/// upper case.
struct CasedScanner: PieceScanner {
  private static let kinds = UnicodeClasses.letter | UnicodeClasses.number | UnicodeClasses.space
  /// The digits that one piece may hold.
  let longestNumber: Int
  /// Whether a contraction joins the word before it.
  let joinsContractions: Bool
  private let classes = UnicodeClasses.shared

  init(longestNumber: Int, joinsContractions: Bool) {
    self.longestNumber = longestNumber
    self.joinsContractions = joinsContractions
  }

  func end(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int) -> Int {
    let first = bytes[start]
    let (flags, count) = classes.at(bytes, start)
    // One character that is no letter, digit or line break may lead a word.
    let leads =
      flags & (UnicodeClasses.letter | UnicodeClasses.number) == 0 && first != 0x0A && first != 0x0D
    let second = leads && start + count < limit ? start + count : nil
    if let end = second.flatMap({ lowerEnd(bytes, $0, limit) }) ?? lowerEnd(bytes, start, limit)
      ?? second.flatMap({ upperEnd(bytes, $0, limit) }) ?? upperEnd(bytes, start, limit)
    {
      guard joinsContractions, end < limit, bytes[end] == UInt8(ascii: "'") else { return end }
      return end + Contraction.length(bytes, end, limit, ignoresCase: true)
    }
    if flags & UnicodeClasses.number != 0 {
      var place = start + count
      var digits = 1
      while place < limit, digits < longestNumber {
        let (flags, count) = classes.at(bytes, place)
        guard flags & UnicodeClasses.number != 0 else { break }
        place += count
        digits += 1
      }
      return place
    }
    // ` ?`, a run of symbols, and the line breaks and slashes after it
    var place = start
    if first == UInt8(ascii: " "), start + 1 < limit { place += 1 }
    if classes.at(bytes, place).classes & Self.kinds == 0 {
      place = classes.runEnd(bytes, place, limit, of: 0, among: Self.kinds)
      while place < limit,
        bytes[place] == 0x0A || bytes[place] == 0x0D || bytes[place] == UInt8(ascii: "/")
      {
        place += 1
      }
      return place
    }
    let run = WhitespaceRun(bytes, start, limit, classes)
    return run.newlineEnd > start ? run.newlineEnd : run.end
  }

  /// Where `U*L+` ends, U what may stand in a word's upper-case part and L in its lower-case part; nil for no match.
  /// Marks and letters without case may stand in both.
  private func lowerEnd(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int) -> Int? {
    var place = start
    var lastShared: Int?
    while place < limit {
      let (flags, count) = classes.at(bytes, place)
      guard flags & UnicodeClasses.upper != 0 else { break }
      place += count
      if flags & UnicodeClasses.lower != 0 { lastShared = place }
    }
    let end = lowerRunEnd(bytes, place, limit)
    // Without lower case behind it the upper-case part gives back what may be both.
    return end > place ? end : lastShared
  }

  /// Where `U+L*` ends; nil for no match.
  private func upperEnd(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int) -> Int? {
    var place = start
    while place < limit {
      let (flags, count) = classes.at(bytes, place)
      guard flags & UnicodeClasses.upper != 0 else { break }
      place += count
    }
    return place > start ? lowerRunEnd(bytes, place, limit) : nil
  }

  private func lowerRunEnd(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int) -> Int {
    classes.runEnd(bytes, start, limit, of: UnicodeClasses.lower, among: UnicodeClasses.lower)
  }
}
