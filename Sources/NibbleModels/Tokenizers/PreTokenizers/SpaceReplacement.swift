extension CutText {
  /// Puts a space before each piece that does not start with one.
  mutating func addSpaces() {
    rewrite { piece, result in
      if piece.first != 0x20 { result.append(0x20) }
      result += piece
    }
  }

  /// Turns spaces into `replacement`, puts one in front where `prepending` asks for it, and cuts before each.
  mutating func replaceSpaces(
    _ replacement: [UInt8], _ prepending: PreTokenizer.Prepending, splits: Bool
  ) {
    var isFirst = isAtStart
    rewrite { piece, result in
      let starts = piece.first == 0x20 || piece.starts(with: replacement)
      if !starts, prepending == .always || prepending == .first && isFirst { result += replacement }
      isFirst = false
      for byte in piece {
        if byte == 0x20 { result += replacement } else { result.append(byte) }
      }
    }
    guard splits else { return }
    var cut: [Range<Int>] = []
    for piece in pieces {
      // Each replacement character starts a piece.
      var start = piece.lowerBound
      var place = start
      while place < piece.upperBound {
        if bytes.span.contains(replacement, at: place, before: piece.upperBound) {
          if start < place { cut.append(start..<place) }
          start = place
          place += replacement.count
        } else {
          place += 1
        }
      }
      cut.append(start..<piece.upperBound)
    }
    pieces = cut
  }

  private mutating func rewrite(_ body: (ArraySlice<UInt8>, inout [UInt8]) -> Void) {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + bytes.count / 4)
    for index in pieces.indices {
      let start = result.count
      body(bytes[pieces[index]], &result)
      pieces[index] = start..<result.count
    }
    bytes = result
  }
}
