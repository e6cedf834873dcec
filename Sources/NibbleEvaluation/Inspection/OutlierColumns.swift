/// The norm and the largest magnitude of each column of a matrix.
struct ColumnSizes: Sendable {
  /// Σw² of each column.
  private(set) var energies: [Double]
  /// max |w| of each column.
  private(set) var largest: [Float]

  init(count: Int) {
    energies = [Double](repeating: 0, count: count)
    largest = [Float](repeating: 0, count: count)
  }

  /// Adds rows of finite values, `[rows, count]`, to their columns.
  mutating func addRows(_ values: UnsafeBufferPointer<Float>) {
    let count = energies.count
    energies.withUnsafeMutableBufferPointer { energies in
      largest.withUnsafeMutableBufferPointer { largest in
        for first in stride(from: 0, to: values.count, by: max(count, 1)) {
          for column in 0..<count {
            let value = values[first + column]
            let wide = Double(value)
            energies[column] += wide * wide
            let magnitude = value.magnitude
            largest[column] = magnitude > largest[column] ? magnitude : largest[column]
          }
        }
      }
    }
  }

  mutating func add(_ other: ColumnSizes) {
    for index in energies.indices {
      energies[index] += other.energies[index]
      largest[index] = max(largest[index], other.largest[index])
    }
  }

  /// Euclidean norms.
  var norms: [Double] { energies.map { $0.squareRoot() } }
}

/// A column whose weights are far larger than those of its tensor's other columns.
public struct OutlierColumn: Sendable, Equatable {
  /// The index from 0.
  public var column: Int
  /// The Euclidean norm.
  public var norm: Double
  /// max |w|.
  public var largestMagnitude: Double
  /// The norm over the median of all columns' norms.
  public var normRatio: Double
  /// The largest magnitude over the median of all columns' largest magnitudes.
  public var magnitudeRatio: Double

  /// The larger of the two ratios.
  public var ratio: Double { max(normRatio, magnitudeRatio) }
}

/// Finds the columns that stand out.
///
/// LLM.int8() (Dettmers et al. 2022, arXiv:2208.07339, §3.2) calls a hidden feature an outlier when an activation reaches
/// 6.0, where ordinary ones are of the order of 1. Weights have no such common unit, so the same 6 is taken here in robust
/// standard deviations: a column stands out when its norm or its largest magnitude exceeds the median of all columns by more
/// than six times 1.4826 · MAD (the median distance from the median, scaled to a Gaussian's standard deviation), and is at
/// least twice the median, so that columns that are nearly equal do not count for small differences.
enum OutlierRule {
  static let deviations = 6.0
  static let ratio = 2.0

  /// The outliers, the largest ratio first.
  static func find(_ sizes: ColumnSizes) -> [OutlierColumn] {
    let norms = sizes.norms
    let magnitudes = sizes.largest.map(Double.init)
    let normLimit = Limit(norms)
    let magnitudeLimit = Limit(magnitudes)
    let found = norms.indices.compactMap { column -> OutlierColumn? in
      guard
        normLimit.isExceeded(by: norms[column]) || magnitudeLimit.isExceeded(by: magnitudes[column])
      else { return nil }
      return OutlierColumn(
        column: column, norm: norms[column], largestMagnitude: magnitudes[column],
        normRatio: normLimit.ratio(norms[column]),
        magnitudeRatio: magnitudeLimit.ratio(magnitudes[column]))
    }
    return found.sorted { ($1.ratio, $0.column) < ($0.ratio, $1.column) }
  }

  private struct Limit {
    let median: Double
    let bound: Double

    init(_ values: [Double]) {
      median = middle(values)
      let spread = 1.4826 * middle(values.map { [median] in abs($0 - median) })
      bound = max(median + OutlierRule.deviations * spread, OutlierRule.ratio * median)
    }

    func isExceeded(by value: Double) -> Bool { median > 0 && value > bound }
    func ratio(_ value: Double) -> Double { median > 0 ? value / median : 0 }
  }
}

/// The median: the middle value, or the mean of the two middle ones; 0 without values.
func middle(_ values: [Double]) -> Double {
  guard !values.isEmpty else { return 0 }
  let sorted = values.sorted()
  let half = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}
