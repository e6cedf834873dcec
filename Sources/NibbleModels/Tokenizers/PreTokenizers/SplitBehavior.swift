/// What becomes of the matches of a `Split` step; raw values are the file's spelling.
enum SplitBehavior: String, Sendable {
  /// A match is a piece of its own.
  case isolated = "Isolated"
  /// Matches vanish.
  case removed = "Removed"
  /// A match ends the piece before it.
  case mergedWithPrevious = "MergedWithPrevious"
  /// A match begins the piece after it.
  case mergedWithNext = "MergedWithNext"
  /// Neighbouring matches are one piece.
  case contiguous = "Contiguous"

  /// Appends the pieces of `range`, given the matches inside it in ascending order; with `inverts`, what lies between
  /// them counts as the matches.
  func append(
    _ range: Range<Int>, matches: [Range<Int>], inverts: Bool, to pieces: inout [Range<Int>]
  ) {
    var stretches: [(range: Range<Int>, isMatch: Bool)] = []
    var place = range.lowerBound
    for match in matches {
      if place < match.lowerBound { stretches.append((place..<match.lowerBound, inverts)) }
      if !match.isEmpty { stretches.append((match, !inverts)) }
      place = match.upperBound
    }
    if place < range.upperBound { stretches.append((place..<range.upperBound, inverts)) }

    var wasMatch = false
    switch self {
    case .isolated: for stretch in stretches { pieces.append(stretch.range) }
    case .removed: for stretch in stretches where !stretch.isMatch { pieces.append(stretch.range) }
    case .contiguous, .mergedWithPrevious:
      let first = pieces.count
      for (range, isMatch) in stretches {
        let joins = self == .contiguous ? isMatch == wasMatch : isMatch && !wasMatch
        if joins, pieces.count > first {
          pieces[pieces.count - 1] = pieces[pieces.count - 1].lowerBound..<range.upperBound
        } else {
          pieces.append(range)
        }
        wasMatch = isMatch
      }
    case .mergedWithNext:
      var reversed: [Range<Int>] = []
      for (range, isMatch) in stretches.reversed() {
        if isMatch, !wasMatch, let last = reversed.last {
          reversed[reversed.count - 1] = range.lowerBound..<last.upperBound
        } else {
          reversed.append(range)
        }
        wasMatch = isMatch
      }
      pieces += reversed.reversed()
    }
  }
}
