/// Merges from the scores of a SentencePiece vocabulary, and scores from merges.
///
/// SentencePiece merges any two neighbours that spell a token together, the token of the highest score first and the
/// leftmost among equals. Every way to cut a token into two tokens is therefore a merge with the priority of its score.
enum ScoreMerges {
  /// Longer tokens are not built by merges; the vocabularies that SentencePiece trains stop far below.
  private static let longestToken = 256

  /// The merges, best score first.
  ///
  /// - Parameters:
  ///   - tokens: spellings by id.
  ///   - scores: one for each token, no NaN.
  ///   - isPart: whether a token takes part in merges.
  /// - Returns: the merges in the order in which converters list them, and the priority of each: equal for equal scores.
  static func merges(
    _ tokens: [String], scores: [Float], isPart: (Int) -> Bool
  ) -> (merges: [Merge], priorities: [UInt32]) {
    let index = TokenIndex(tokens, where: isPart)
    var found: [(merge: Merge, left: Int, right: Int)] = []
    for (id, token) in tokens.enumerated() where isPart(id) {
      let bytes = Array(token.utf8)
      guard bytes.count >= 2, bytes.count <= longestToken else { continue }
      var splits: [(merge: Merge, left: Int, right: Int)] = []
      let total = token.unicodeScalars.count
      var leftCount = 0
      for cut in 1..<bytes.count where bytes[cut] & 0xC0 != 0x80 {
        leftCount += 1
        guard let left = index.find(bytes.span, 0..<cut),
          let right = index.find(bytes.span, cut..<bytes.count)
        else { continue }
        let merge = Merge(left: left, right: right, result: Int32(id))
        splits.append((merge, leftCount, total - leftCount))
      }
      splits.sort { ($0.merge.left, $0.merge.right) < ($1.merge.left, $1.merge.right) }
      found += splits
    }
    // Swift's sort is stable; equal elements keep the order of ids.
    found.sort { first, second in
      let scores = (scores[Int(first.merge.result)], scores[Int(second.merge.result)])
      if scores.0 != scores.1 { return scores.0 > scores.1 }
      return (first.left, first.right) > (second.left, second.right)
    }
    var priorities: [UInt32] = []
    var priority: UInt32 = 0
    var previous: Float?
    for entry in found {
      let score = scores[Int(entry.merge.result)]
      if let previous, previous != score { priority += 1 }
      previous = score
      priorities.append(priority)
    }
    return (found.map(\.merge), priorities)
  }

  /// Scores that give merges by rank: minus the rank of the first merge that makes a token, 0 for tokens that none makes.
  static func scores(_ tokenCount: Int, merges: [Merge]) -> [Float] {
    var scores = [Float](repeating: 0, count: tokenCount)
    for (rank, merge) in merges.enumerated().reversed() {
      scores[Int(merge.result)] = 0 - Float(rank)
    }
    return scores
  }

  /// Whether merging by score does what merging by rank does: the same pairs, in an order that the scores allow.
  static func areEquivalent(_ ranked: [Merge], _ scored: [Merge], scores: [Float]) -> Bool {
    guard ranked.count == scored.count, Set(ranked) == Set(scored) else { return false }
    var previous = Float.infinity
    for merge in ranked {
      let score = scores[Int(merge.result)]
      guard score <= previous else { return false }
      previous = score
    }
    return true
  }
}
