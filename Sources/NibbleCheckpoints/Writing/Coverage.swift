/// Which bytes of a tensor have been written.
struct Coverage: Sendable {
  /// Disjoint, not touching, ascending.
  private var ranges: [Range<Int>] = []

  mutating func insert(_ range: Range<Int>) {
    guard !range.isEmpty else { return }
    var first = ranges.count
    while first > 0, ranges[first - 1].upperBound >= range.lowerBound { first -= 1 }
    var merged = range
    var end = first
    while end < ranges.count, ranges[end].lowerBound <= merged.upperBound {
      let next = ranges[end]
      merged =
        min(merged.lowerBound, next.lowerBound)..<max(merged.upperBound, next.upperBound)
      end += 1
    }
    ranges.replaceSubrange(first..<end, with: CollectionOfOne(merged))
  }

  /// The first byte of `0..<byteCount` that is missing.
  func firstGap(byteCount: Int) -> Int? {
    guard byteCount > 0 else { return nil }
    guard let first = ranges.first, first.lowerBound == 0 else { return 0 }
    return first.upperBound < byteCount ? first.upperBound : nil
  }
}
