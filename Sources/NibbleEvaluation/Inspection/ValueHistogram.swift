/// How often each number occurs, at the resolution of BF16: sign, exponent and seven bits of fraction.
///
/// Counts are whole numbers, so that merging is exact in any order, and one pass over the values is enough for any
/// percentile and any plot. Numbers between two BF16 numbers count as the one nearer to zero.
public struct ValueHistogram: Sendable {
  /// Indexed so that the numbers ascend.
  private var counts: [Int]
  /// Numbers counted.
  public private(set) var count = 0

  private static let binCount = 1 << 16

  init() { counts = [Int](repeating: 0, count: Self.binCount) }

  /// The bin of a number: negative ones mirrored below the positive ones.
  private static func bin(_ value: Float) -> Int {
    let bits = Int(value.bitPattern >> 16)
    return bits & 0x8000 == 0 ? 0x8000 + bits : 0xFFFF - bits
  }

  /// The BF16 number that a bin stands for; both zeros are 0.
  private static func value(_ bin: Int) -> Double {
    let bits = bin >= 0x8000 ? bin - 0x8000 : 0xFFFF - bin
    // Adding zero turns −0 into 0.
    return Double(Float(bitPattern: UInt32(bits) << 16)) + 0
  }

  /// Counts finite values.
  mutating func add(_ values: UnsafeBufferPointer<Float>) {
    counts.withUnsafeMutableBufferPointer { counts in
      for value in values { counts[Self.bin(value)] &+= 1 }
    }
    count += values.count
  }

  mutating func add(_ other: ValueHistogram) {
    for bin in counts.indices { counts[bin] += other.counts[bin] }
    count += other.count
  }

  /// The numbers at given places of the ascending order.
  ///
  /// - Parameter shares: ascending, each from 0 to 1.
  /// - Returns: for each share the number at place ⌊share · (count − 1)⌋, rounded toward zero to BF16.
  func percentiles(_ shares: [Double]) -> [Double] {
    guard count > 0 else { return shares.map { _ in 0 } }
    var results: [Double] = []
    var bin = 0
    var passed = counts[0]
    for share in shares {
      let place = Int(share * Double(count - 1))
      while passed <= place {
        bin += 1
        passed += counts[bin]
      }
      results.append(Self.value(bin))
    }
    return results
  }

  /// The share of numbers whose distance from `centre` exceeds `distance`, judged at BF16 resolution.
  func share(fartherThan distance: Double, from centre: Double) -> Double {
    guard count > 0 else { return 0 }
    var sum = 0
    for bin in counts.indices where counts[bin] > 0 && abs(Self.value(bin) - centre) > distance {
      sum += counts[bin]
    }
    return Double(sum) / Double(count)
  }

  /// The counts in equal intervals; numbers outside of the range count in the first or last one.
  func intervals(_ intervalCount: Int, from lowerBound: Double, to upperBound: Double) -> Intervals
  {
    var result = Intervals(
      lowerBound: lowerBound, upperBound: upperBound,
      counts: [Int](repeating: 0, count: intervalCount))
    guard upperBound > lowerBound else {
      result.counts[intervalCount / 2] = count
      return result
    }
    let scale = Double(intervalCount) / (upperBound - lowerBound)
    for bin in counts.indices where counts[bin] > 0 {
      let place = ((Self.value(bin) - lowerBound) * scale).rounded(.down)
      result.counts[Int(min(max(place, 0), Double(intervalCount - 1)))] += counts[bin]
    }
    return result
  }

  /// The counts from four standard deviations below to four above the mean.
  func centralIntervals(_ moments: CentralMoments) -> Intervals {
    let reach = 4 * moments.standardDeviation
    return intervals(
      TensorStatistics.centralIntervalCount, from: moments.mean - reach, to: moments.mean + reach)
  }

  /// Counts in intervals of equal width.
  public struct Intervals: Sendable, Equatable {
    public var lowerBound: Double
    public var upperBound: Double
    /// Ascending; numbers beyond the bounds are in the first and the last.
    public var counts: [Int]

    /// The width of one interval.
    public var width: Double { (upperBound - lowerBound) / Double(max(counts.count, 1)) }
  }
}
