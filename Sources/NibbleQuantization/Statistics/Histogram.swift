/// Masses of values, or of magnitudes, in evenly spaced bins that grow with what they have to hold.
///
/// Bins are multiples of ``width`` from zero and are closed on the side away from zero: bin `k` of magnitudes holds
/// `k · width < |x| <= (k + 1) · width`, the first one zero too. The width is ``smallestWidth`` times a power of two:
/// a value beyond the last bin doubles it, and each pair of bins becomes one. So the width depends on the largest
/// magnitude alone, and the counts are those that this width would have given from the start.
///
/// Parts of the data may be observed in any order and by any number of histograms that are merged: widths, extremes
/// and, without weights, counts below 2⁵³ are the same for every split. Weighted counts are sums of Doubles, which
/// another order may round differently.
public struct Histogram: Hashable, Sendable {
  /// What is counted.
  public enum Subject: Hashable, Sendable {
    /// Signed values; half of the bins lies on each side of zero.
    case values
    /// Absolute values.
    case magnitudes
  }

  public let subject: Subject
  /// The width of the bins before the first doubling, > 0.
  public let smallestWidth: Double
  /// How often the width was doubled.
  public internal(set) var doublingCount = 0
  /// The mass in each bin, ascending by value; its count never changes.
  public internal(set) var counts: [Double]
  /// The least value (or magnitude) observed; infinite while there is none.
  public internal(set) var minimum = Double.infinity
  /// The greatest value (or magnitude) observed; -infinite while there is none.
  public internal(set) var maximum = -Double.infinity
  /// Values left out because they or their weights were not finite, or their weights negative.
  public internal(set) var ignoredCount = 0

  /// An empty histogram.
  ///
  /// - Parameters:
  ///   - subject: whether signs count.
  ///   - binCount: a power of two >= 2.
  ///   - smallestWidth: the first width of the bins. The least positive Float, the default, makes all widths powers of
  ///     two that no data is too small for; only histograms that share it can be merged.
  public init(
    _ subject: Subject, binCount: Int = 2048,
    smallestWidth: Double = Double(Float.leastNonzeroMagnitude)
  ) {
    precondition(binCount >= 2 && binCount & (binCount - 1) == 0, "bins are a power of two")
    precondition(smallestWidth > 0 && smallestWidth <= Double(Float.greatestFiniteMagnitude))
    self.subject = subject
    self.smallestWidth = smallestWidth
    counts = [Double](repeating: 0, count: binCount)
  }

  /// A histogram with known counts; its extremes are taken to be the outer edges of its outermost filled bins.
  ///
  /// - Precondition: a power of two >= 2 of finite counts >= 0.
  public init(_ subject: Subject, counts: [Double], width: Double) {
    self.init(subject, binCount: counts.count, smallestWidth: width)
    precondition(counts.allSatisfy { $0 >= 0 && $0.isFinite })
    self.counts = counts
    if let first = counts.firstIndex(where: { $0 > 0 }),
      let last = counts.lastIndex(where: { $0 > 0 })
    {
      minimum = lowerEdge(of: first)
      maximum = lowerEdge(of: last + 1)
    }
  }

  /// The magnitudes of a buffer in bins that divide the range up to the largest of them exactly.
  ///
  /// - Parameters:
  ///   - values: any number of values.
  ///   - weights: a mass >= 0 for each value, or nil for ones.
  ///   - binCount: a power of two >= 2.
  /// - Returns: the histogram; its width is the largest magnitude divided by the number of bins.
  public static func magnitudes(
    of values: UnsafeBufferPointer<Float>, weights: UnsafeBufferPointer<Float>? = nil,
    binCount: Int = 2048
  ) -> Histogram {
    let largest = extremes(of: values, weights: weights, .magnitudes).maximum
    let width = largest / Double(binCount)
    var histogram =
      width > 0 && width.isFinite
      ? Histogram(.magnitudes, binCount: binCount, smallestWidth: width)
      : Histogram(.magnitudes, binCount: binCount)
    histogram.observe(values, weights: weights)
    return histogram
  }

  /// The width of each bin.
  public var width: Double {
    Double(sign: .plus, exponent: doublingCount, significand: smallestWidth)
  }

  /// The mass of all bins.
  public var total: Double { counts.reduce(0, +) }

  /// The bin whose lower edge is zero.
  var zeroBin: Int { subject == .magnitudes ? 0 : counts.count / 2 }

  /// The lower edge of a bin, which is the upper edge of the one before.
  public func lowerEdge(of bin: Int) -> Double { Double(bin - zeroBin) * width }
}
