/// Finds the scales of which all values of a group are levels, up to their rounding.
///
/// The value of largest magnitude has some level: each is tried, and each other value then leaves an interval of scales for
/// its own level or rules the try out. What is stored is one of the format's few numbers in that interval, and is accepted
/// when decoding with it and rounding gives the very values.
struct ScaleSearch {
  /// Magnitudes of scales, and their sign.
  struct Interval {
    var low: Double
    var high: Double
    var isNegative: Bool
    /// What the largest value says alone.
    var wanted: Double
  }

  let levels: LevelSet
  let rounding: NumberRounding
  let allowsNegativeScales: Bool
  /// The level of each distinct value under the last scale that ``accepts(_:_:)``.
  private(set) var found: [Int] = []
  private let anchors: [Double]
  private let zeroIndex: Int?

  init(_ levels: LevelSet, _ rounding: NumberRounding, allowsNegativeScales: Bool) {
    self.levels = levels
    self.rounding = rounding
    self.allowsNegativeScales = allowsNegativeScales
    zeroIndex = levels.zero
    anchors = levels.levels.filter { $0 != 0 }.map { Double($0) }
      .sorted { (abs($0), $0) > (abs($1), $1) }
  }

  /// The first scale of a format under which the values are levels: positive ones and those of large levels come first.
  mutating func scale(of values: DistinctValues, as numbers: StoredNumbers) -> Float? {
    for isNegative in allowsNegativeScales ? [false, true] : [false] {
      for anchor in anchors {
        guard let interval = interval(of: values, anchor, isNegative: isNegative) else { continue }
        let sign: Double = isNegative ? -1 : 1
        for magnitude in numbers.within(interval.low, interval.high, near: interval.wanted) {
          let scale = Float(sign) * magnitude
          if accepts(values, scale) { return scale }
        }
      }
    }
    return nil
  }

  /// All intervals that may hold a scale.
  func intervals(of values: DistinctValues) -> [Interval] {
    var all: [Interval] = []
    for isNegative in [false, true] {
      for anchor in anchors {
        if let found = interval(of: values, anchor, isNegative: isNegative) { all.append(found) }
      }
    }
    return all
  }

  /// The scales of one sign under which the largest value may have the level `anchor`, and all others some level.
  private func interval(
    of values: DistinctValues, _ anchor: Double, isNegative: Bool
  ) -> Interval? {
    guard let largest = values.largest else { return nil }
    let extreme = Double(values.values[largest])
    guard ((extreme < 0) != (anchor < 0)) == isNegative else { return nil }
    let level = abs(anchor)
    var low = max((abs(extreme) - values.radii[largest]) / level, 0x1p-150)
    var high = (abs(extreme) + values.radii[largest]) / level
    for index in values.ascending {
      let radius = values.radii[index]
      let value = isNegative ? -Double(values.values[index]) : Double(values.values[index])
      let middle = (low + high) / 2
      let level = Double(levels.levels[levels.nearest(value / middle)])
      let reach = abs(level)
      // Several levels may be right where rounding is coarser than they are apart: the decoded values decide then.
      if levels.isWhole, (radius + reach * (high - low) / 2) / middle >= 0.5 { continue }
      guard level != 0, (level < 0) == (value < 0) else { return nil }
      let (least, most) = ((abs(value) - radius) / reach, (abs(value) + radius) / reach)
      if least > high || most < low { return nil }
      if least > low { low = least }
      if most < high { high = most }
    }
    return Interval(
      low: low, high: high, isNegative: isNegative, wanted: abs(extreme) / level)
  }

  /// Whether the values are exactly what levels times this scale are rounded to; ``found`` are the levels then.
  mutating func accepts(_ values: DistinctValues, _ scale: Float) -> Bool {
    found.removeAll(keepingCapacity: true)
    var (lowest, highest) = (0, 0)
    for value in values.values {
      guard let index = level(of: value, scale) else { return false }
      found.append(index)
      guard levels.span != nil else { continue }
      let level = Int(levels.levels[index])
      lowest = min(lowest, level)
      highest = max(highest, level)
    }
    return levels.span.map { highest - lowest <= $0 } ?? true
  }

  private func level(of value: Float, _ scale: Float) -> Int? {
    if value == 0, let zeroIndex { return zeroIndex }
    guard scale != 0 else { return value == 0 ? levels.nearest(0) : nil }
    let nearest = levels.nearest(Double(value) / Double(scale))
    if decoded(nearest, scale) == value { return nearest }
    if nearest > 0, decoded(nearest - 1, scale) == value { return nearest - 1 }
    if nearest + 1 < levels.levels.count, decoded(nearest + 1, scale) == value {
      return nearest + 1
    }
    return nil
  }

  private func decoded(_ index: Int, _ scale: Float) -> Float {
    rounding.rounded(levels.levels[index] * scale)
  }
}
