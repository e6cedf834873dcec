/// The levels of a codebook that lie nearest to the values: k-means in one dimension.
///
/// Clusters of sorted values are runs, and prefix sums give the mean and square error of a run at once. So Lloyd's
/// algorithm (Lloyd 1982) costs a few searches an iteration; it starts from three partitions and keeps improving the best
/// one by splitting one cluster and joining two others (``KMeansSearch``). The exact optimum is found by dynamic
/// programming (``KMeansExact``). Both are deterministic.
public struct KMeans: Hashable, Sendable {
  /// The number of levels, 1 to 256.
  public var levelCount: Int
  /// Whether to find the least square error there is instead of a nearly least one.
  public var isExact: Bool

  public init(levelCount: Int, isExact: Bool = false) {
    precondition((1...256).contains(levelCount), "codes have 8 bits")
    self.levelCount = levelCount
    self.isExact = isExact
  }

  /// The levels with a small weighted square error `Σ w (x - level)²`.
  ///
  /// - Parameters:
  ///   - values: in any order. Those that are not finite are left out.
  ///   - weights: a mass for each value, or nil for ones. Values whose weight is not finite and > 0 are left out.
  /// - Returns: ``levelCount`` levels, ascending. With fewer different values than levels they are these values, and
  ///   the greatest is repeated; with none they are zero.
  /// - Complexity: sorting, then a few passes; exactly, O(`levelCount` · n log n) time and O(`levelCount` · n) memory.
  public func levels(
    of values: UnsafeBufferPointer<Float>, weights: UnsafeBufferPointer<Float>? = nil
  ) -> [Float] {
    let masses = SortedMasses(values, weights: weights)
    guard let greatest = masses.values.last else { return [Float](repeating: 0, count: levelCount) }
    if masses.count <= levelCount {
      let padding = [Double](repeating: greatest, count: levelCount - masses.count)
      return (masses.values + padding).map(Float.init)
    }
    let bounds = masses.withPointers {
      isExact
        ? KMeansExact.bounds(of: $0, clusterCount: levelCount)
        : KMeansSearch.bounds(of: $0, clusterCount: levelCount)
    }
    return masses.means(bounds)
  }

  /// The nearest level of each value; of two as near, and of equal ones, the lower index. NaN gets code 0.
  ///
  /// - Parameters:
  ///   - values: any number of values.
  ///   - levels: 1 to 256 finite levels, ascending.
  ///   - codes: as many as there are values; written.
  public static func assign(
    _ values: UnsafeBufferPointer<Float>, levels: [Float],
    into codes: UnsafeMutableBufferPointer<UInt8>
  ) {
    precondition((1...256).contains(levels.count) && codes.count == values.count)
    let thresholds = thresholds(between: levels)
    thresholds.withUnsafeBufferPointer { thresholds in
      let half = (thresholds.count + 1) / 2
      for index in values.indices {
        let value = values[index]
        var code = 0
        var step = half
        while step > 0 {
          code += value > thresholds[code + step - 1] ? step : 0
          step /= 2
        }
        codes[index] = UInt8(truncatingIfNeeded: code)
      }
    }
  }

  /// The greatest Float that belongs to each level, ascending; infinities fill up to a power of two less one.
  private static func thresholds(between levels: [Float]) -> [Float] {
    var count = 1
    while count < levels.count { count *= 2 }
    var thresholds = [Float](repeating: .infinity, count: count - 1)
    for index in levels.indices.dropLast().reversed() {
      if levels[index] == levels[index + 1] {
        // Of equal levels the later ones get nothing: their range ends where the next one's does.
        thresholds[index] = index + 2 < levels.count ? thresholds[index + 1] : .infinity
      } else {
        let middle = (Double(levels[index]) + Double(levels[index + 1])) / 2
        let rounded = Float(middle)
        thresholds[index] = Double(rounded) > middle ? rounded.nextDown : rounded
      }
    }
    return thresholds
  }
}
