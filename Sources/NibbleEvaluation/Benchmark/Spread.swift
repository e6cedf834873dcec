/// Smallest, median and largest of some measurements.
public struct Spread: Sendable, Equatable {
  public let smallest: Double
  public let median: Double
  public let largest: Double

  /// - Parameter values: in any order; none give zeros.
  public init(_ values: [Double]) {
    let sorted = values.sorted()
    smallest = sorted.first ?? 0
    median = sorted.isEmpty ? 0 : (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    largest = sorted.last ?? 0
  }

  /// The quotients of two series, run by run: what disturbs the machine for longer than a run disturbs both.
  public init(ratioOf values: [Double], to others: [Double]) {
    self.init(zip(values, others).map { $1 == 0 ? 0 : $0 / $1 })
  }
}
