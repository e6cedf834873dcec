/// Finds a scale and a minimum of which all values of a group are codes, up to their rounding.
///
/// The largest value is some number of scales above the smallest: each number is tried, the others then bound the scale. For
/// each of the format's numbers that are left, and each code that the smallest value may have, the values bound the minimum.
struct MinimumSearch {
  /// Scales that may belong to a group.
  struct Interval {
    var low: Double
    var high: Double
    /// How many scales the largest value is above the smallest.
    var reach: Int
  }

  /// Minima that go with a scale.
  struct Minima {
    var low: Double
    var high: Double
    /// The code of the smallest value.
    var lowestCode: Int
  }

  /// The largest code.
  let top: Int
  let rounding: NumberRounding
  /// The code of each distinct value under the last fit that ``accepts(_:scale:minimum:)``.
  private(set) var found: [Int] = []
  /// Fits that a group is tried with, at most: 8-bit codes of coarse numbers leave too many.
  private let tryLimit = 1 << 12

  init(top: Int, _ rounding: NumberRounding) {
    self.top = top
    self.rounding = rounding
  }

  /// The first scale and minimum of their formats under which the values are codes; those that span all codes come first.
  mutating func fit(
    of values: DistinctValues, scales: StoredNumbers, minima: StoredNumbers
  ) -> (scale: Float, minimum: Float)? {
    guard values.values.count > 1 else { return constantFit(values, scales, minima) }
    var tryCount = 0
    for reach in stride(from: top, through: values.values.count - 1, by: -1) {
      guard let interval = interval(of: values, reach) else { continue }
      let wanted = (interval.low + interval.high) / 2
      for scale in scales.within(interval.low, interval.high, near: wanted) {
        for found in self.minima(of: values, reach, scale) {
          let middle = (found.low + found.high) / 2
          for minimum in minima.within(found.low, found.high, near: middle) {
            tryCount += 1
            if accepts(values, scale: scale, minimum: minimum) { return (scale, minimum) }
            if tryCount >= tryLimit { return nil }
          }
        }
      }
    }
    return nil
  }

  /// A single value, as some code's.
  private mutating func constantFit(
    _ values: DistinctValues, _ scales: StoredNumbers, _ minima: StoredNumbers
  ) -> (scale: Float, minimum: Float)? {
    guard let value = values.values.first, let radius = values.radii.first else { return nil }
    let center = Double(value)
    for minimum in minima.within(center - radius, center + radius, near: center)
    where accepts(values, scale: 0, minimum: minimum) { return (0, minimum) }
    // No minimum alone comes near enough: a multiple of a scale does, or one above a coarse minimum.
    let slack = abs(center) * 0x1p-7
    for minimum in minima.within(center - slack, center, near: center - slack).prefix(4) + [0] {
      for code in 1...top {
        let distance = center - Double(minimum)
        let (low, high) = (
          (distance - radius) / Double(code), (distance + radius) / Double(code)
        )
        guard high > 0 else { continue }
        for scale in scales.within(max(low, 0), high, near: distance / Double(code)).prefix(4)
        where scale > 0 && accepts(values, scale: scale, minimum: minimum) {
          return (scale, minimum)
        }
      }
    }
    return nil
  }

  /// The scales under which the largest value may be `reach` scales above the smallest.
  func interval(of values: DistinctValues, _ reach: Int) -> Interval? {
    let count = values.values.count
    guard count > 1, reach >= count - 1 else { return nil }
    let lowest = Double(values.values[0])
    let radius = values.radii[0]
    let span = Double(values.values[count - 1]) - lowest
    let freedom = radius + values.radii[count - 1] + roundingOfSums(values)
    var low = max((span - freedom) / Double(reach), 0x1p-150)
    var high = (span + freedom) / Double(reach)
    for index in stride(from: 1, to: count - 1, by: 1) {
      let distance = Double(values.values[index]) - lowest
      let freedom = radius + values.radii[index] + roundingOfSums(values)
      let middle = (low + high) / 2
      let steps = (distance / middle).rounded(.toNearestOrEven)
      if (freedom + steps * (high - low) / 2) / middle >= 0.5 { continue }
      guard steps >= 1, steps < Double(reach) else { return nil }
      let (least, most) = ((distance - freedom) / steps, (distance + freedom) / steps)
      if least > high || most < low { return nil }
      if least > low { low = least }
      if most < high { high = most }
    }
    return Interval(low: low, high: high, reach: reach)
  }

  /// What rounding a product and a sum to floats may add.
  private func roundingOfSums(_ values: DistinctValues) -> Double {
    let count = values.values.count
    return max(abs(Double(values.values[0])), abs(Double(values.values[count - 1]))) * 0x1p-22
  }

  /// The minima that a scale leaves, for each code that the smallest value may have.
  func minima(of values: DistinctValues, _ reach: Int, _ scale: Float) -> [Minima] {
    let step = Double(scale)
    let lowest = Double(values.values[0])
    guard step > 0 else { return [] }
    var (low, high) = (-Double.infinity, Double.infinity)
    for (value, radius) in zip(values.values, values.radii) {
      let steps = ((Double(value) - lowest) / step).rounded(.toNearestOrEven)
      let freedom = radius + roundingOfSums(values)
      let base = Double(value) - steps * step
      if base - freedom > low { low = base - freedom }
      if base + freedom < high { high = base + freedom }
    }
    guard low <= high else { return [] }
    return (0...max(top - reach, 0)).map { code in
      Minima(low: low - Double(code) * step, high: high - Double(code) * step, lowestCode: code)
    }
  }

  /// Whether the values are exactly what codes of this scale and minimum are rounded to; ``found`` are the codes then.
  mutating func accepts(_ values: DistinctValues, scale: Float, minimum: Float) -> Bool {
    found.removeAll(keepingCapacity: true)
    for value in values.values {
      guard let code = code(of: value, scale, minimum) else { return false }
      found.append(code)
    }
    return true
  }

  private func code(of value: Float, _ scale: Float, _ minimum: Float) -> Int? {
    if scale == 0 { return rounding.rounded(0 * scale + minimum) == value ? 0 : nil }
    let multiple = (Double(value) - Double(minimum)) / Double(scale)
    let inside = multiple < 0 ? 0 : multiple > Double(top) ? Double(top) : multiple
    let nearest = Int(inside.rounded(.toNearestOrEven))
    for code in [nearest, nearest - 1, nearest + 1] where code >= 0 && code <= top {
      let product = Float(code) * scale
      if rounding.rounded(product + minimum) == value { return code }
    }
    return nil
  }
}
