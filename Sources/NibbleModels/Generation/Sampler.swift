internal import Foundation
internal import NibbleTensors

/// Draws tokens from logits.
public struct Sampler: Sendable {
  private let options: SamplingOptions
  private var random: RandomSource
  private var logits: [Float] = []

  /// - Throws: ``ModelError/Code/request`` when an option makes no sense.
  public init(_ options: SamplingOptions) throws(ModelError) {
    self.options = try options.validated()
    random = RandomSource(seed: options.seed)
  }

  /// Draws the next token. Ties go to the smaller token id.
  ///
  /// - Parameters:
  ///   - row: one logit for each token of the vocabulary.
  ///   - history: the tokens so far, for the repetition penalty.
  /// - Returns: the token's id.
  public mutating func next(_ row: UnsafeBufferPointer<Float>, history: [Int]) -> Int {
    logits.removeAll(keepingCapacity: true)
    logits.append(contentsOf: row)
    if options.repetitionPenalty != 1 { penalize(history.suffix(options.repetitionWindow)) }
    if options.temperature == 0 || options.topK == 1 { return likeliest() }
    var candidates = likeliestFirst()
    let best = logits[candidates[0]]
    // Probabilities relative to the likeliest token's.
    var weights = candidates.map { exp(logits[$0] - best) }
    var kept = weights.count
    if options.topP < 1 {
      let target = options.topP * weights.reduce(0, +)
      var sum: Float = 0
      kept =
        (weights.firstIndex { weight in
          sum += weight; return sum >= target
        } ?? kept - 1) + 1
    }
    if options.minP > 0 {
      kept = min(kept, weights.firstIndex { $0 < options.minP } ?? kept)
    }
    candidates.removeSubrange(kept...)
    weights = candidates.map { exp((logits[$0] - best) / options.temperature) }
    return draw(candidates, weights)
  }

  private mutating func penalize(_ recent: ArraySlice<Int>) {
    for token in Set(recent) where logits.indices.contains(token) {
      let logit = logits[token]
      logits[token] =
        logit > 0 ? logit / options.repetitionPenalty : logit * options.repetitionPenalty
    }
  }

  private func likeliest() -> Int {
    var best = 0
    for index in logits.indices where logits[index] > logits[best] { best = index }
    return best
  }

  /// Token ids by falling logit, at most top-k of them.
  private func likeliestFirst() -> [Int] {
    let count = options.topK == 0 ? logits.count : min(options.topK, logits.count)
    var candidates = Array(logits.indices)
    if count < logits.count / 8 {
      let threshold = threshold(keeping: count)
      candidates.removeAll { logits[$0] < threshold }
    }
    candidates.sort { (-logits[$0], $0) < (-logits[$1], $1) }
    return Array(candidates.prefix(count))
  }

  /// The `count`-th largest logit, by a heap of the largest so far.
  private func threshold(keeping count: Int) -> Float {
    var heap = Array(logits.prefix(count)).sorted()  // a sorted array is a heap, smallest first
    for logit in logits.dropFirst(count) where logit > heap[0] {
      var parent = 0
      while true {
        var child = 2 * parent + 1
        guard child < count else { break }
        if child + 1 < count, heap[child + 1] < heap[child] { child += 1 }
        guard heap[child] < logit else { break }
        heap[parent] = heap[child]
        parent = child
      }
      heap[parent] = logit
    }
    return heap[0]
  }

  private mutating func draw(_ candidates: [Int], _ weights: [Float]) -> Int {
    var rest = Float(random.uniform()) * weights.reduce(0, +)
    for (candidate, weight) in zip(candidates, weights) {
      rest -= weight
      if rest < 0 { return candidate }
    }
    return candidates[candidates.count - 1]
  }
}
