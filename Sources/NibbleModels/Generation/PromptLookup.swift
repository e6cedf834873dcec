/// Guesses the tokens that come next from the text so far: its last few tokens are looked for earlier in it, and what
/// followed them there is the guess (Saxena 2023, "Prompt Lookup Decoding").
///
/// The model then says which guesses are right, all of them in one pass (Leviathan et al. 2023, arXiv:2211.17192). Few
/// are made after wrong ones, more after right ones.
package struct PromptLookup {
  /// Tokens that are looked for at most; of places that agree on as many, the latest counts.
  private static let longestMatch = 4

  private let limit: Int
  /// How many tokens are guessed next time, at most.
  package private(set) var guessCount: Int

  /// - Parameter limit: the most tokens to guess at once, at least 1.
  package init(limit: Int) {
    precondition(limit > 0)
    self.limit = limit
    guessCount = min(2, limit)
  }

  /// The fewest tokens that must agree. One token recurs everywhere; after wrong guesses two do not convince either.
  private var shortestMatch: Int { guessCount < min(2, limit) ? 3 : 2 }

  /// Guesses what follows `tokens`.
  ///
  /// - Parameters:
  ///   - tokens: the text so far.
  ///   - count: the most tokens to guess.
  ///   - endTokens: tokens that end the text, which are not guessed.
  /// - Returns: up to `count` tokens. A text that ends in a repetition is guessed to go on with it.
  package func guesses(after tokens: [Int], count: Int, endTokens: Set<Int>) -> [Int] {
    let count = min(count, guessCount)
    guard count > 0, let start = tokens.withUnsafeBufferPointer({ continuation(of: $0) }) else {
      return []
    }
    var guesses: [Int] = []
    for place in start..<start + count {
      let guess = place < tokens.count ? tokens[place] : guesses[place - tokens.count]
      if endTokens.contains(guess) { break }
      guesses.append(guess)
    }
    return guesses
  }

  /// Adapts the number of guesses.
  ///
  /// - Parameters:
  ///   - rightCount: guesses that were right.
  ///   - count: guesses that were made, at least 1.
  package mutating func learn(rightCount: Int, of count: Int) {
    guessCount = min(limit, rightCount == count ? 2 * guessCount : rightCount + 1)
  }

  /// The place after the longest earlier run of tokens that the text also ends in.
  private func continuation(of tokens: UnsafeBufferPointer<Int>) -> Int? {
    var best = shortestMatch - 1
    var found: Int?
    var end = tokens.count - 1
    while end > best, best < Self.longestMatch {
      var count = 0
      while count < min(end, Self.longestMatch),
        tokens[end - 1 - count] == tokens[tokens.count - 1 - count]
      { count += 1 }
      if count > best {
        best = count
        found = end
      }
      end -= 1
    }
    return found
  }
}

/// What guessing ahead did for a text, or for several.
public struct SpeculationCounts: Sendable, Equatable {
  /// Passes through the model after the prompt. Without guesses there is one for each token but the first.
  public var passCount = 0
  /// Tokens that were guessed.
  public var guessedCount = 0
  /// Guesses that the model agreed with.
  public var acceptedCount = 0

  public init() {}
}
