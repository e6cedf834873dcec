/// The places before a mark for spaces where no merge can reach over, so that a long text may be cut there into short
/// pieces without changing a token.
struct WordCuts: Sendable {
  let mark: [UInt8]
  /// The characters from which some merge crosses to a mark, as scalar values.
  let crossing: Set<UInt32>

  /// - Returns: nil for models whose pieces are words already, or may be tokens as a whole.
  init?(_ definition: TokenizerDefinition) {
    guard !definition.isByteLevel, !definition.ignoresMerges, definition.unigram == nil else {
      return nil
    }
    let mark = TokenizerDefinition.spaceMark
    guard definition.tokens.contains(mark) else { return nil }
    let scalar: Unicode.Scalar? = mark.unicodeScalars.first
    var crossing: Set<UInt32> = []
    for merge in definition.merges {
      guard definition.tokens[Int(merge.right)].unicodeScalars.first == scalar else { continue }
      let left = definition.tokens[Int(merge.left)].unicodeScalars.last
      if let left, left != scalar { crossing.insert(left.value) }
    }
    self.mark = Array(mark.utf8)
    self.crossing = crossing
  }
}

extension CutText {
  /// Cuts each piece before every run of marks, wherever a character stands in front of it that no merge joins to a mark.
  mutating func cut(at cuts: WordCuts) {
    var result: [Range<Int>] = []
    result.reserveCapacity(max(pieces.count, bytes.count / 6))
    let mark = cuts.mark
    let bytes = bytes
    let text = bytes.span
    for piece in pieces {
      var start = piece.lowerBound
      var place = start
      // Where the character before `place` begins; nil at the start and behind a mark.
      var previous: Int?
      while place < piece.upperBound {
        if text[place] == mark[0], text.contains(mark, at: place, before: piece.upperBound) {
          if let previous, !cuts.crossing.contains(text.scalar(at: previous).value) {
            result.append(start..<place)
            start = place
          }
          previous = nil
          place += mark.count
        } else {
          if text[place] & 0xC0 != 0x80 { previous = place }
          place += 1
        }
      }
      result.append(start..<piece.upperBound)
    }
    pieces = result
  }
}
