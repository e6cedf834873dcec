extension Histogram {
  /// The value below which a fraction of the mass lies, linear within its bin; nil while the histogram is empty.
  ///
  /// It is off by no more than one ``width`` from the value at which the data's own cumulative mass reaches the
  /// fraction, and lies between ``minimum`` and ``maximum``, which the fractions 0 and 1 give.
  ///
  /// - Precondition: the fraction lies in 0...1.
  public func quantile(_ fraction: Double) -> Double? {
    precondition((0...1).contains(fraction))
    guard minimum <= maximum else { return nil }
    if fraction == 0 { return minimum }
    let target = fraction * total
    var below = 0.0
    for (bin, count) in counts.enumerated() where count > 0 {
      if below + count >= target {
        let value = lowerEdge(of: bin) + width * ((target - below) / count)
        return min(max(value, minimum), maximum)
      }
      below += count
    }
    return maximum
  }
}
