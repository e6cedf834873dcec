import NibbleModels
import Testing

@Suite("Guesses from repetitions")
struct PromptLookupTests {
  private func guesses(_ tokens: [Int], limit: Int = 8, count: Int = 8, ends: Set<Int> = [])
    -> [Int]
  {
    var lookup = PromptLookup(limit: limit)
    // Right guesses, so that it dares to make as many as it may.
    for _ in 0..<4 { lookup.learn(rightCount: lookup.guessCount, of: lookup.guessCount) }
    return lookup.guesses(after: tokens, count: count, endTokens: ends)
  }

  @Test("What followed the last tokens before")
  func follows() {
    #expect(guesses([1, 2, 3, 4, 5, 6, 9, 1, 2], count: 3) == [3, 4, 5])
    #expect(guesses([1, 2, 3, 4, 5, 6, 9, 1, 2]) == [3, 4, 5, 6, 9, 1, 2, 3])
  }

  @Test("The longest agreement counts, of equals the latest")
  func prefersLongerMatches() {
    #expect(guesses([1, 2, 3, 7, 2, 3, 8, 1, 2, 3], count: 1) == [7])
    #expect(guesses([2, 3, 7, 2, 3, 8, 1, 2, 3], count: 1) == [8])
  }

  @Test("A repetition goes on")
  func goesOn() {
    #expect(guesses([4, 5, 5, 5, 5]) == [5, 5, 5, 5, 5, 5, 5, 5])
    #expect(guesses([1, 2, 3, 1, 2, 3, 1]) == [2, 3, 1, 2, 3, 1, 2, 3])
  }

  @Test("Without repetitions, and with one common token, nothing is guessed")
  func staysSilent() {
    #expect(guesses([]) == [])
    #expect(guesses([1]) == [])
    #expect(guesses([1, 1]) == [])
    #expect(guesses([1, 2, 3, 4, 5]) == [])
    #expect(guesses([7, 1, 8, 1]) == [])
    #expect(guesses([4, 5, 5, 5, 5], count: 0) == [])
    #expect(guesses([4, 5, 5, 5, 5], count: -1) == [])
  }

  @Test("A text's end is not guessed")
  func stopsBeforeTheEnd() {
    #expect(guesses([1, 2, 3, 0, 5, 1, 2], ends: [0]) == [3])
    #expect(guesses([1, 2, 0, 1, 2], ends: [0]) == [])
  }

  @Test("More after right guesses, fewer and on better evidence after wrong ones")
  func adapts() {
    var lookup = PromptLookup(limit: 8)
    let pair = [1, 2, 3, 4, 9, 1, 2]
    #expect(lookup.guesses(after: pair, count: 8, endTokens: []) == [3, 4])
    lookup.learn(rightCount: 2, of: 2)
    #expect(lookup.guesses(after: pair, count: 8, endTokens: []) == [3, 4, 9, 1])
    lookup.learn(rightCount: 4, of: 4)
    #expect(lookup.guessCount == 8)
    lookup.learn(rightCount: 8, of: 8)
    #expect(lookup.guessCount == 8)
    lookup.learn(rightCount: 3, of: 8)
    #expect(lookup.guessCount == 4)
    lookup.learn(rightCount: 0, of: 4)
    #expect(lookup.guesses(after: pair, count: 8, endTokens: []) == [])
    #expect(lookup.guesses(after: [1, 2, 3, 4, 1, 2, 3], count: 8, endTokens: []) == [4])
    lookup.learn(rightCount: 1, of: 1)
    #expect(lookup.guesses(after: pair, count: 8, endTokens: []) == [3, 4])
  }
}
