/// The levels of a scheme's codes, as multiples of a scale.
struct LevelSet: Sendable {
  /// Ascending; a table may hold zero twice.
  let levels: [Float]
  /// Whether the levels are neighbouring integers.
  let isWhole: Bool
  /// The levels' greatest range, 0 included, within a group that chooses its zero point; nil without one.
  let span: Int?
  private let middles: [Double]

  /// - Returns: nil for schemes with minima, and for learned levels.
  init?(_ scheme: Scheme) {
    switch (scheme.element, scheme.offset) {
    case (.int, .none), (.uint, .none):
      levels = scheme.element.levels
      (isWhole, span) = (true, nil)
    case (.uint(let bits), .zeroPoint(let zeroBits)) where zeroBits >= bits:
      let top = 1 << bits - 1
      levels = (-top...top).map { Float($0) }
      (isWhole, span) = (true, top)
    case (.codebook(let book), .none):
      levels = book.levels
      (isWhole, span) = (false, nil)
    default: return nil
    }
    middles = zip(levels, levels.dropFirst()).map { (Double($0) + Double($1)) / 2 }
  }

  /// The index of the level nearest to a multiple.
  func nearest(_ multiple: Double) -> Int {
    if isWhole, let first = levels.first {
      let low = Double(first)
      let high = low + Double(levels.count - 1)
      let inside = multiple < low ? low : multiple > high ? high : multiple
      return Int((inside - low).rounded(.toNearestOrEven))
    }
    var (low, high) = (0, middles.count)
    while low < high {
      let middle = (low + high) / 2
      if multiple > middles[middle] { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The index of a level that is zero; nil where none is.
  var zero: Int? { levels.firstIndex(of: 0) }
}
