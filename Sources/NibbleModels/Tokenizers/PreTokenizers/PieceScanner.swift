/// Cuts text into pieces by hand, as a regular expression would.
protocol PieceScanner {
  /// Where the piece that begins at `start` ends, at most at `limit`.
  func end(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int) -> Int
}

extension PieceScanner {
  /// Appends the pieces of `range`.
  func cut(_ bytes: Span<UInt8>, _ range: Range<Int>, _ pieces: inout [Range<Int>]) {
    var place = range.lowerBound
    while place < range.upperBound {
      let end = end(bytes, place, range.upperBound)
      pieces.append(place..<end)
      place = end
    }
  }
}
