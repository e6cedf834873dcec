extension Histogram {
  /// Adds values; the bins widen when one lies beyond them.
  ///
  /// - Parameters:
  ///   - values: any number of values.
  ///   - weights: a mass >= 0 for each value, or nil for ones; a mass of zero leaves no trace.
  public mutating func observe(
    _ values: UnsafeBufferPointer<Float>, weights: UnsafeBufferPointer<Float>? = nil
  ) {
    precondition(weights.map { $0.count == values.count } ?? true, "one weight a value")
    let seen = Self.extremes(of: values, weights: weights, subject)
    ignoredCount += seen.ignoredCount
    guard seen.minimum <= seen.maximum else { return }
    minimum = min(minimum, seen.minimum)
    maximum = max(maximum, seen.maximum)
    widen(toHold: max(abs(seen.minimum), abs(seen.maximum)))
    let width = width
    let zeroBin = zeroBin
    let isSigned = subject == .values
    counts.withUnsafeMutableBufferPointer { counts in
      for index in values.indices {
        let value = values[index]
        let mass = weights?[index] ?? 1
        guard value.isFinite, mass > 0, mass.isFinite else { continue }
        let position = Double(abs(value)) / width
        var bin = Int(position)
        // Bins are closed above: what lies on an edge belongs to the bin below.
        if bin > 0, Double(bin) == position { bin -= 1 }
        counts[isSigned && value < 0 ? zeroBin - 1 - bin : zeroBin + bin] += Double(mass)
      }
    }
  }

  /// Adds what another histogram of the same kind has seen; the wider bins of the two are kept.
  ///
  /// - Precondition: subject, number of bins and smallest width are equal.
  public mutating func merge(_ other: Histogram) {
    precondition(
      subject == other.subject && counts.count == other.counts.count
        && smallestWidth == other.smallestWidth, "histograms of one kind")
    var other = other
    let doublings = max(doublingCount, other.doublingCount)
    coarsen(by: doublings - doublingCount)
    other.coarsen(by: doublings - other.doublingCount)
    for bin in counts.indices { counts[bin] += other.counts[bin] }
    minimum = min(minimum, other.minimum)
    maximum = max(maximum, other.maximum)
    ignoredCount += other.ignoredCount
  }

  /// Doubles the width as often as it takes for the bins to reach a magnitude.
  public mutating func widen(toHold magnitude: Double) {
    precondition(magnitude.isFinite)
    // Powers of two scale exactly, so this quotient says what the one of the final width will be.
    let ratio = magnitude / width / Double(counts.count - zeroBin)
    guard ratio > 1 else { return }
    coarsen(by: Int(ratio.exponent) + (ratio.significand > 1 ? 1 : 0))
  }

  /// Doubles the width so many times; neighbours on the same side of zero are added up.
  public mutating func coarsen(by doublings: Int) {
    precondition(doublings >= 0)
    guard doublings > 0 else { return }
    doublingCount += doublings
    var coarse = [Double](repeating: 0, count: counts.count)
    for bin in counts.indices where counts[bin] != 0 {
      // Shifts of negative offsets round down, which mirrors the bins about zero.
      coarse[zeroBin + ((bin - zeroBin) >> doublings)] += counts[bin]
    }
    counts = coarse
  }

  struct Extremes {
    var minimum = Double.infinity
    var maximum = -Double.infinity
    var ignoredCount = 0
  }

  /// The least and greatest value (or magnitude) among those that count.
  static func extremes(
    of values: UnsafeBufferPointer<Float>, weights: UnsafeBufferPointer<Float>?, _ subject: Subject
  ) -> Extremes {
    precondition(weights.map { $0.count == values.count } ?? true, "one weight a value")
    var low = Float.infinity
    var high = -Float.infinity
    var ignoredCount = 0
    for index in values.indices {
      let mass = weights?[index] ?? 1
      let value = subject == .magnitudes ? abs(values[index]) : values[index]
      guard value.isFinite, mass >= 0, mass.isFinite else {
        ignoredCount += 1
        continue
      }
      guard mass > 0 else { continue }
      low = value < low ? value : low
      high = value > high ? value : high
    }
    return Extremes(minimum: Double(low), maximum: Double(high), ignoredCount: ignoredCount)
  }
}
