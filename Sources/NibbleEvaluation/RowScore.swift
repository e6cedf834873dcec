internal import Foundation

/// What one row of logits says about the token that follows.
struct RowScore: Sendable {
  /// −ln of the probability that the model gave the token, in nats.
  var negativeLogLikelihood = 0.0
  /// The same for the reference.
  var referenceNegativeLogLikelihood = 0.0
  /// D(reference ‖ model), in nats.
  var divergence = 0.0
  /// Whether both find the same token likeliest.
  var hasSameTop = false

  /// Scores one position of a model alone.
  init(_ row: UnsafeBufferPointer<Float>, target: Int) {
    let (top, _) = Self.top(row)
    let sum = row.reduce(0.0) { $0 + Double(exp($1 - top)) }
    negativeLogLikelihood = Double(top - row[target]) + log(sum)
  }

  /// Scores one position of a model against a reference.
  ///
  /// With p and q the two rows, P and Q their sums of exponentials:
  /// D = Σ exp(p) (p − q) / P − ln P + ln Q.
  init(
    _ row: UnsafeBufferPointer<Float>, reference: UnsafeBufferPointer<Float>, target: Int
  ) {
    let (top, topIndex) = Self.top(row)
    let (referenceTop, referenceTopIndex) = Self.top(reference)
    var sum = 0.0
    var referenceSum = 0.0
    var difference = 0.0
    for index in row.indices {
      let weight = Double(exp(reference[index] - referenceTop))
      referenceSum += weight
      sum += Double(exp(row[index] - top))
      difference += weight * Double(reference[index] - row[index])
    }
    let logSum = Double(top) + log(sum)
    let referenceLogSum = Double(referenceTop) + log(referenceSum)
    negativeLogLikelihood = logSum - Double(row[target])
    referenceNegativeLogLikelihood = referenceLogSum - Double(reference[target])
    divergence = max(0, difference / referenceSum - referenceLogSum + logSum)
    hasSameTop = topIndex == referenceTopIndex
  }

  private static func top(_ row: UnsafeBufferPointer<Float>) -> (Float, Int) {
    var best = 0
    for index in row.indices where row[index] > row[best] { best = index }
    return (row[best], best)
  }
}
