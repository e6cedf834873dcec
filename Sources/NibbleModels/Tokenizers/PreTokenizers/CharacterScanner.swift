/// Cuts text by the classes of single characters.
enum CharacterScanner {
  /// Each character of the class as a match of its own.
  static func matches(of flag: UInt8, _ bytes: Span<UInt8>, _ range: Range<Int>) -> [Range<Int>] {
    let classes = UnicodeClasses.shared
    var matches: [Range<Int>] = []
    var place = range.lowerBound
    while place < range.upperBound {
      let (flags, count) = classes.at(bytes, place)
      if flags & flag != 0 { matches.append(place..<place + count) }
      place += count
    }
    return matches
  }

  /// Runs of word characters and runs of what is neither word nor white space: `\w+|[^\w\s]+`.
  static func cutWords(_ bytes: Span<UInt8>, _ range: Range<Int>, _ pieces: inout [Range<Int>]) {
    let classes = UnicodeClasses.shared
    let kinds = UnicodeClasses.word | UnicodeClasses.space
    var place = range.lowerBound
    while place < range.upperBound {
      let wanted = classes.at(bytes, place).classes & kinds
      let end = classes.runEnd(bytes, place, range.upperBound, of: wanted, among: kinds)
      if wanted & UnicodeClasses.space == 0 { pieces.append(place..<end) }
      place = end
    }
  }
}
