internal import NibbleTensors

/// Finds the block scale and the integers of sub-blocks of which all values of a block are levels: Q3_K, Q6_K, IQ4_XS.
///
/// Each sub-block leaves intervals for its own scale. The block's scale is the largest sub-block's, divided by each integer
/// that it may have, and must have whole multiples in an interval of every other sub-block.
struct NestedScaleSearch {
  /// The integers of sub-blocks, from -bias on.
  private let bias: Int
  private let numbers: StoredNumbers
  private var search: ScaleSearch

  init(_ levels: LevelSet, _ rounding: NumberRounding, bits: Int, over parent: ScaleFormat) {
    bias = 1 << (bits - 1)
    numbers = StoredNumbers(parent)
    search = ScaleSearch(levels, rounding, allowsNegativeScales: true)
  }

  /// The scales of a block: its own, and the integer of each sub-block.
  ///
  /// - Parameter parts: the distinct values of each sub-block.
  /// - Returns: nil where there are none.
  mutating func scales(of parts: [DistinctValues]) -> (parent: Float, integers: [Int])? {
    var intervals: [[ScaleSearch.Interval]] = []
    var reference: Int?
    for (index, part) in parts.enumerated() {
      guard part.largest != nil else {
        intervals.append([])
        continue
      }
      let found = search.intervals(of: part)
      guard let low = found.first?.low else { return nil }
      // The one of the largest scale, to which encoders give the largest integer.
      if reference.map({ low > intervals[$0][0].low }) ?? true { reference = index }
      intervals.append(found)
    }
    guard let reference else { return (0, [Int](repeating: 0, count: parts.count)) }
    for interval in intervals[reference] {
      for integer in stride(from: bias, through: 1, by: -1) {
        let (low, high) = (interval.low / Double(integer), interval.high / Double(integer))
        for magnitude in numbers.within(low, high, near: interval.wanted / Double(integer)) {
          for parent in [magnitude, -magnitude] {
            if let integers = integers(parent, parts, intervals) { return (parent, integers) }
          }
        }
      }
    }
    return nil
  }

  /// The integer of each sub-block under a block's scale.
  private mutating func integers(
    _ parent: Float, _ parts: [DistinctValues], _ intervals: [[ScaleSearch.Interval]]
  ) -> [Int]? {
    guard parent != 0 else { return nil }
    var candidates: [[Int]] = []
    for options in intervals {
      var found: [Int] = []
      for interval in options {
        let size = Double(abs(parent))
        let (first, last) = (
          (interval.low / size).rounded(.up), (interval.high / size).rounded(.down)
        )
        guard first <= last, first <= Double(bias) else { continue }
        for magnitude in Int(first)...Int(min(last, Double(bias))) where magnitude > 0 {
          let integer = interval.isNegative == (parent < 0) ? magnitude : -magnitude
          if integer < bias, !found.contains(integer) { found.append(integer) }
        }
      }
      if found.isEmpty, !options.isEmpty { return nil }
      candidates.append(found)
    }
    var integers: [Int] = []
    for (part, options) in zip(parts, candidates) {
      if options.isEmpty {
        integers.append(0)
        continue
      }
      guard let integer = options.first(where: { search.accepts(part, parent * Float($0)) }) else {
        return nil
      }
      integers.append(integer)
    }
    return integers
  }
}
