/// Cuts text as ``KnownExpression/llama3Text`` does, or with numbers of one digit as ``KnownExpression/qwen2Text``.
struct Llama3Scanner: PieceScanner {
  private static let kinds = UnicodeClasses.letter | UnicodeClasses.number | UnicodeClasses.space
  /// The digits that one piece may hold.
  let longestNumber: Int
  private let classes = UnicodeClasses.shared

  init(longestNumber: Int) { self.longestNumber = longestNumber }

  func end(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int) -> Int {
    let first = bytes[start]
    if first == UInt8(ascii: "'") {
      let count = Contraction.length(bytes, start, limit, ignoresCase: true)
      if count > 0 { return start + count }
    }
    let (flags, count) = classes.at(bytes, start)
    if flags & UnicodeClasses.letter != 0 { return lettersEnd(bytes, start + count, limit) }
    if flags & UnicodeClasses.number != 0 { return numberEnd(bytes, start + count, limit) }

    // One character that is no line break may lead a run of letters.
    if first != 0x0A, first != 0x0D, start + count < limit {
      let (next, nextCount) = classes.at(bytes, start + count)
      if next & UnicodeClasses.letter != 0 {
        return lettersEnd(bytes, start + count + nextCount, limit)
      }
    }
    // ` ?`, a run of symbols, and the line breaks after it
    var place = start
    if first == UInt8(ascii: " "), start + 1 < limit { place += 1 }
    if classes.at(bytes, place).classes & Self.kinds == 0 {
      place = classes.runEnd(bytes, place, limit, of: 0, among: Self.kinds)
      while place < limit, bytes[place] == 0x0A || bytes[place] == 0x0D { place += 1 }
      return place
    }
    // `\s*[\r\n]+` reaches to the last line break of the run.
    let run = WhitespaceRun(bytes, start, limit, classes)
    return run.newlineEnd > start ? run.newlineEnd : run.end
  }

  @inline(__always)
  private func lettersEnd(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int) -> Int {
    classes.runEnd(
      bytes, start, limit, of: UnicodeClasses.letter, among: UnicodeClasses.letter)
  }

  private func numberEnd(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int) -> Int {
    var place = start
    var digits = 1
    while place < limit, digits < longestNumber {
      let (flags, count) = classes.at(bytes, place)
      guard flags & UnicodeClasses.number != 0 else { break }
      place += count
      digits += 1
    }
    return place
  }
}
