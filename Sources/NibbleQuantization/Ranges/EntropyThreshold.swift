internal import Foundation

/// The clipping threshold that loses the least information, by the Kullback-Leibler divergence.
///
/// Migacz 2017 ("8-bit inference with TensorRT", GTC 2017): for each `i` from `levelCount` up to the last bin, `P` is
/// the first `i` bins of a histogram of magnitudes with the mass beyond them added to the last of them. `Q` is the same
/// bins without that mass, collapsed to `levelCount` levels (bin `b` to level `⌊b · levelCount / i⌋`), each level's mass
/// spread evenly over those of its bins that are not empty. Both are normalized; the `i` with the least `KL(P ‖ Q)` gives
/// the threshold `(i + ½) · width`. `Q` must be made without the mass beyond: with it, `i = levelCount` would always
/// have no divergence at all.
///
/// Where `P` has mass and `Q` has none the divergence is infinite. Divergences within ``tolerance`` of the least count
/// as equal, and the largest `i` among them is taken, which clips least.
public struct EntropyThreshold: Sendable {
  /// Levels of the magnitude: 128 for signed 8-bit codes.
  public var levelCount: Int
  /// Nats within which divergences count as equal.
  public static let tolerance = 1e-9

  public init(levelCount: Int = 128) {
    precondition(levelCount > 0)
    self.levelCount = levelCount
  }

  /// The threshold for a histogram of magnitudes, no larger than the largest of them.
  ///
  /// - Returns: the threshold; the largest magnitude when the histogram has no more bins than there are levels or each
  ///   candidate's divergence is infinite; 0 when it is empty.
  /// - Precondition: the histogram is one of magnitudes.
  /// - Complexity: `binCount² / levelCount` logarithms or fewer, and as many additions as candidates times levels.
  public func threshold(of histogram: Histogram) -> Double {
    precondition(histogram.subject == .magnitudes)
    guard histogram.maximum > 0 else { return 0 }
    let divergences = divergences(of: histogram.counts)
    guard let least = divergences.min(), least.isFinite,
      let last = divergences.lastIndex(where: { $0 <= least + Self.tolerance })
    else { return histogram.maximum }
    return min((Double(levelCount + last) + 0.5) * histogram.width, histogram.maximum)
  }

  /// `KL(P ‖ Q)` in nats of each `i` from `levelCount` until the number of bins.
  ///
  /// With `c` the counts of `P`, `T` their sum, `m` and `n` the mass and number of filled bins of a level, and `S` the mass
  /// of `Q`: `KL = (Σ c ln c - Σ c ln (m / n)) / T - ln T + ln S`, where `ln (m / n)` is one term for a level. A level
  /// is a run of `⌊i / levelCount⌋` bins or one more, so terms are tabulated by the run's start for two lengths at a time.
  func divergences(of counts: [Double]) -> [Double] {
    guard counts.count > levelCount else { return [] }
    let sums = PrefixSums(counts)
    let total = sums.mass[counts.count]
    guard total > 0 else { return [] }
    var short = sums.levelTerms(length: 0)
    var long = sums.levelTerms(length: 1)
    var length = 0
    return (levelCount..<counts.count).map { binCount in
      while (length + 1) * levelCount <= binCount {
        length += 1
        short = long
        long = sums.levelTerms(length: length + 1)
      }
      let kept = sums.mass[binCount]
      let tail = total - kept
      let lastCount = counts[binCount - 1]
      guard kept > 0, lastCount > 0 || tail <= 0 else { return .infinity }
      var levels = 0.0
      var start = 0
      // Level k begins at ⌈k · binCount / levelCount⌉: steps of the quotient, and a remainder that is carried.
      let remainder = binCount - length * levelCount
      var carry = 0
      var lastStart = 0
      for _ in 0..<levelCount {
        lastStart = start
        if carry < remainder {
          levels += long[start]
          start += length + 1
          carry += levelCount - remainder
        } else {
          levels += short[start]
          start += length
          carry -= remainder
        }
      }
      var own = sums.entropy[binCount]
      if tail > 0 {
        own += (lastCount + tail) * log(lastCount + tail) - lastCount * log(lastCount)
        levels += tail * sums.logDensity(lastStart..<binCount)
      }
      return (own - levels) / total - log(total) + log(kept)
    }
  }
}

/// Sums over the first bins.
private struct PrefixSums {
  /// `Σ c`, `Σ c ln c`, and the number of bins that are not empty.
  private(set) var mass: [Double] = [0]
  private(set) var entropy: [Double] = [0]
  private var filled: [Int] = [0]
  private let counts: [Double]

  init(_ counts: [Double]) {
    self.counts = counts
    for (bin, count) in counts.enumerated() {
      mass.append(mass[bin] + count)
      entropy.append(entropy[bin] + (count > 0 ? count * log(count) : 0))
      filled.append(filled[bin] + (count > 0 ? 1 : 0))
    }
  }

  /// `ln (m / n)` of a run of bins that has mass.
  func logDensity(_ bins: Range<Int>) -> Double {
    log(levelMass(bins) / Double(filled[bins.upperBound] - filled[bins.lowerBound]))
  }

  /// `m ln (m / n)` of the run of bins of a length that begins at each bin.
  func levelTerms(length: Int) -> [Double] {
    guard length <= counts.count else { return [] }
    return (0...counts.count - length).map { start in
      let bins = start..<start + length
      return filled[bins.upperBound] > filled[bins.lowerBound]
        ? levelMass(bins) * logDensity(bins) : 0
    }
  }

  /// Added up anew: differences of large sums would lose small counts.
  private func levelMass(_ bins: Range<Int>) -> Double {
    var sum = 0.0
    for bin in bins { sum += counts[bin] }
    return sum
  }
}
