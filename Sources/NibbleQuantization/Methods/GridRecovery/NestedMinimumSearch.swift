internal import NibbleTensors

/// Finds the scale and minimum of a block, and the integers of its sub-blocks, of which all values are codes: Q2_K, Q4_K,
/// Q5_K.
///
/// The scales are found as in ``NestedScaleSearch``; each then leaves few minima for a sub-block, one for each code that its
/// smallest value may have. The block's minimum is that of the sub-block whose minimum is largest, divided by each integer.
struct NestedMinimumSearch {
  /// What decodes a block: its own scale and minimum, and for each sub-block two integers.
  struct Fit {
    var scale: Float
    var minimum: Float
    var scaleIntegers: [Int]
    var minimumIntegers: [Int]
  }

  /// A scale and the minima that a sub-block may have with it.
  private struct Option {
    var integer: Int
    var low: Double
    var high: Double
  }

  /// The largest integer of a sub-block.
  private let largestInteger: Int
  private let numbers: StoredNumbers
  private var search: MinimumSearch

  init(top: Int, _ rounding: NumberRounding, bits: Int, over parent: ScaleFormat) {
    largestInteger = 1 << bits - 1
    numbers = StoredNumbers(parent)
    search = MinimumSearch(top: top, rounding)
  }

  /// The fit of a block whose sub-blocks have these distinct values; nil where there is none.
  mutating func fit(of parts: [DistinctValues]) -> Fit? {
    var intervals: [[MinimumSearch.Interval]] = []
    var reference: Int?
    for (index, part) in parts.enumerated() {
      var found: [MinimumSearch.Interval] = []
      if part.values.count > 1 {
        for reach in stride(from: search.top, through: part.values.count - 1, by: -1) {
          if let interval = search.interval(of: part, reach) { found.append(interval) }
        }
        guard !found.isEmpty else { return nil }
        // The one of the largest scale, to which encoders give the largest integer.
        let low = found[0].low
        if reference.map({ low > intervals[$0][0].low }) ?? true { reference = index }
      }
      intervals.append(found)
    }
    guard let reference else {
      return fit(scale: 0, parts, intervals)
    }
    for interval in intervals[reference] {
      for integer in stride(from: largestInteger, through: 1, by: -1) {
        let (low, high) = (interval.low / Double(integer), interval.high / Double(integer))
        for scale in numbers.within(low, high, near: (low + high) / 2) where scale > 0 {
          if let fit = fit(scale: scale, parts, intervals) { return fit }
        }
      }
    }
    return nil
  }

  private mutating func fit(
    scale: Float, _ parts: [DistinctValues], _ intervals: [[MinimumSearch.Interval]]
  ) -> Fit? {
    var options: [[Option]] = []
    var reference = 0
    for (index, part) in parts.enumerated() {
      let found = self.options(scale, part, intervals[index])
      guard !found.isEmpty else { return nil }
      options.append(found)
      if magnitude(found) > magnitude(options[reference]) { reference = index }
    }
    guard magnitude(options[reference]) > 0 else {
      return fit(scale, minimum: 0, parts, options)
    }
    for option in options[reference] {
      for integer in stride(from: largestInteger, through: 1, by: -1) {
        let (low, high) = (option.low / Double(integer), option.high / Double(integer))
        for minimum in numbers.within(low, high, near: (low + high) / 2) {
          if let fit = fit(scale, minimum: minimum, parts, options) { return fit }
        }
      }
    }
    return nil
  }

  /// The least that a sub-block's minimum may be, without its sign; 0 where it may be zero.
  private func magnitude(_ options: [Option]) -> Double {
    var least = Double.infinity
    for option in options {
      least = min(least, option.low > 0 ? option.low : option.high < 0 ? -option.high : 0)
    }
    return least
  }

  /// The integers that a sub-block may have under a block's scale, with the minima that these leave.
  private func options(
    _ scale: Float, _ part: DistinctValues, _ intervals: [MinimumSearch.Interval]
  ) -> [Option] {
    var found: [Option] = []
    if intervals.isEmpty {
      // One value, which is the minimum; or a code above it.
      let value = Double(part.values.first ?? 0)
      let radius = part.radii.first ?? 0
      return [Option(integer: 0, low: value - radius, high: value + radius)]
    }
    let size = Double(scale)
    for interval in intervals {
      let (first, last) = (
        (interval.low / size).rounded(.up), (interval.high / size).rounded(.down)
      )
      guard first <= last, first <= Double(largestInteger) else { continue }
      for integer in Int(first)...Int(min(last, Double(largestInteger))) where integer > 0 {
        for minima in search.minima(of: part, interval.reach, scale * Float(integer)) {
          found.append(Option(integer: integer, low: minima.low, high: minima.high))
        }
      }
    }
    return found
  }

  private mutating func fit(
    _ scale: Float, minimum: Float, _ parts: [DistinctValues], _ options: [[Option]]
  ) -> Fit? {
    // First whether every sub-block may have a whole multiple, then whether it decodes.
    var candidates: [[(scale: Int, minimum: Int)]] = []
    for part in options {
      var pairs: [(scale: Int, minimum: Int)] = []
      for option in part {
        for integer in integers(option, minimum) {
          pairs.append((scale: option.integer, minimum: integer))
        }
      }
      guard !pairs.isEmpty else { return nil }
      candidates.append(pairs)
    }
    var fit = Fit(scale: scale, minimum: minimum, scaleIntegers: [], minimumIntegers: [])
    for (part, pairs) in zip(parts, candidates) {
      var chosen: (scale: Int, minimum: Int)?
      for pair in pairs where chosen == nil {
        let step = scale * Float(pair.scale)
        if search.accepts(part, scale: step, minimum: minimum * Float(pair.minimum)) {
          chosen = pair
        }
      }
      guard let chosen else { return nil }
      fit.scaleIntegers.append(chosen.scale)
      fit.minimumIntegers.append(chosen.minimum)
    }
    return fit
  }

  /// The integers that bring a block's minimum into an interval.
  private func integers(_ option: Option, _ minimum: Float) -> [Int] {
    guard minimum != 0 else { return option.low <= 0 && option.high >= 0 ? [0] : [] }
    let (left, right) = (option.low / Double(minimum), option.high / Double(minimum))
    let first = max(min(left, right).rounded(.up), 0)
    let last = min(max(left, right).rounded(.down), Double(largestInteger))
    return first <= last ? Array(Int(first)...Int(last)) : []
  }
}
