/// What one tensor's values look like. Figures are over the finite values; others are counted beside them.
public struct TensorStatistics: Sendable {
  /// Mean, variance and kurtosis.
  public var moments: CentralMoments
  /// The least value.
  public var minimum: Double
  /// The greatest value.
  public var maximum: Double
  /// Values that are exactly zero.
  public var zeroCount: Int
  public var notANumberCount: Int
  /// Infinities of either sign.
  public var infinityCount: Int
  /// Where the first NaN or infinity stands.
  public var firstNonFinite: (row: Int, column: Int)?
  /// The values at ``percentileShares``, rounded toward zero to BF16.
  public var percentiles: [Double]
  /// The share of values more than six standard deviations from the mean.
  public var farShare: Double
  /// Counts from the least to the greatest value.
  public var histogram: ValueHistogram.Intervals
  /// Counts from four standard deviations below to four above the mean, those beyond in the outer two.
  public var centralHistogram: ValueHistogram.Intervals
  /// Norms of the rows; nil for a vector.
  public var rowNorms: NormRange?
  /// Norms of the columns.
  public var columnNorms: NormRange?
  /// Columns that stand out, the largest ratio first.
  public var outlierColumns: [OutlierColumn]

  /// The shares of values below the ``percentiles``.
  public static let percentileShares = [0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999]

  /// Intervals of ``histogram``.
  static let intervalCount = 64
  /// Intervals of ``centralHistogram``.
  static let centralIntervalCount = 32

  /// max |w|.
  public var absoluteMaximum: Double { max(abs(minimum), abs(maximum)) }
  /// The share of finite values that are exactly zero.
  public var zeroShare: Double {
    moments.count > 0 ? Double(zeroCount) / Double(moments.count) : 0
  }
  /// NaN and infinities together.
  public var nonFiniteCount: Int { notANumberCount + infinityCount }
}

/// The spread of the Euclidean norms of rows or columns.
public struct NormRange: Sendable, Equatable {
  public var minimum: Double
  public var median: Double
  public var maximum: Double

  init?(_ norms: [Double]) {
    guard let minimum = norms.min(), let maximum = norms.max() else { return nil }
    self.minimum = minimum
    self.maximum = maximum
    median = middle(norms)
  }
}
