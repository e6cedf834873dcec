/// The different values of a group, ascending, each with how far it may be from what was rounded to it.
struct DistinctValues {
  private(set) var values: [Float] = []
  private(set) var radii: [Double] = []
  /// Indices of the values that are not zero, the smallest magnitude first.
  private(set) var ascending: [Int] = []

  /// The index of the value of largest magnitude; nil where all are zero.
  var largest: Int? { ascending.last }

  /// Takes the values of a group; both zeros are one.
  ///
  /// - Parameters:
  ///   - group: finite values.
  ///   - limit: the most that can belong to one group.
  ///   - rounding: how they were rounded.
  /// - Returns: false where there are more.
  mutating func take(
    _ group: UnsafeBufferPointer<Float>, limit: Int, _ rounding: NumberRounding
  ) -> Bool {
    values.removeAll(keepingCapacity: true)
    for value in group {
      let place = firstIndex(notBelow: value)
      if place < values.count, values[place] == value { continue }
      guard values.count < limit else { return false }
      values.insert(value == 0 ? 0 : value, at: place)
    }
    radii.removeAll(keepingCapacity: true)
    for value in values { radii.append(rounding.radius(value)) }
    // From where the sign changes on, both ways.
    ascending.removeAll(keepingCapacity: true)
    var above = firstIndex(notBelow: 0)
    var below = above - 1
    if above < values.count, values[above] == 0 { above += 1 }
    while below >= 0 || above < values.count {
      if above >= values.count || below >= 0 && -values[below] <= values[above] {
        ascending.append(below)
        below -= 1
      } else {
        ascending.append(above)
        above += 1
      }
    }
    return true
  }

  /// The index of a value that was taken.
  func index(of value: Float) -> Int { firstIndex(notBelow: value) }

  private func firstIndex(notBelow value: Float) -> Int {
    var (low, high) = (0, values.count)
    while low < high {
      let middle = (low + high) / 2
      if values[middle] < value { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
