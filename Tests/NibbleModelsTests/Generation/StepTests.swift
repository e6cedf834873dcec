import NibbleModels
import NibbleTensors
import TestSupport
import Testing

/// Passes over the next tokens of several sequences, against runs of one token each.
@Suite("Steps of several sequences in one pass")
struct StepTests {
  /// Tokens of the fixtures' vocabulary that look random.
  static func tokens(_ count: Int, from start: Int = 0) -> [Int] {
    (start..<start + count).map { 3 + ($0 * $0 + 7 * $0) % 60 }
  }

  /// The logits after each of `tokens`, run one by one.
  private func single(_ session: InferenceSession, _ tokens: [Int]) throws -> [[Float]] {
    try tokens.map { token in try session.run([token]).withRow(0) { Array($0) } }
  }

  private func rows(_ logits: InferenceSession.StepLogits, _ count: Int) -> [[Float]] {
    (0..<count).map { row in logits.values.withRow(logits.firstRow + row) { Array($0) } }
  }

  @Test("The bits are those of single tokens", arguments: GoldenModel.names, CacheType.allCases)
  func bits(_ name: String, _ type: CacheType) throws {
    let model = try LanguageModel(path: Fixtures.path("models/\(name)"))
    let prompt = Self.tokens(30)
    let tails = [Self.tokens(5, from: 40), Self.tokens(1, from: 50), Self.tokens(3, from: 60)]
    let starts = [30, 17, 0]
    var expected: [[[Float]]] = []
    for (start, tail) in zip(starts, tails) {
      let session = InferenceSession(
        model, contextCount: 64, pool: WorkerPool(threadCount: 1), cacheType: type)
      _ = try session.run(prompt)
      session.truncate(to: start)
      expected.append(try single(session, tail))
    }
    for threadCount in [1, 2] {
      let first = InferenceSession(
        model, contextCount: 64, pool: WorkerPool(threadCount: threadCount), cacheType: type)
      _ = try first.run(prompt)
      let sessions = [
        first, first.fork(keeping: 17, contextCount: 20), first.fork(keeping: 0, contextCount: 3),
      ]
      #expect(zip(sessions, tails).allSatisfy { $0.guessCount($1.count - 1) == $1.count - 1 })
      let steps = zip(sessions, tails).map { InferenceSession.Step(session: $0, tokens: $1) }
      let results = try InferenceSession.run(steps)
      for (index, result) in results.enumerated() {
        #expect(
          rows(result, tails[index].count) == expected[index],
          "sequence \(index), \(threadCount) threads")
        #expect(sessions[index].tokens == Array(prompt.prefix(starts[index])) + [tails[index][0]])
      }
    }
  }

  @Test("Guesses that are given up leave nothing behind")
  func rollsBack() throws {
    let model = try LanguageModel(path: Fixtures.path("models/mistral-window"))
    let pool = WorkerPool(threadCount: 1)
    let plain = InferenceSession(model, contextCount: 64, pool: pool)
    let session = InferenceSession(model, contextCount: 64, pool: pool)
    let prompt = Self.tokens(28)
    _ = try plain.run(prompt)
    _ = try session.run(prompt)
    let step = InferenceSession.Step(session: session, tokens: [7, 8, 9, 10, 11])
    _ = try InferenceSession.run([step])
    #expect(session.tokens == prompt + [7])
    session.accept(8)
    #expect(session.tokens == prompt + [7, 8])
    _ = try single(plain, [7, 8])
    #expect(try single(session, [30, 31, 32]) == single(plain, [30, 31, 32]))
    #expect(session.tokens == plain.tokens)
  }

  @Test("A fork goes its own way")
  func forks() throws {
    let model = try LanguageModel(path: Fixtures.path("models/llama-grouped"))
    let session = InferenceSession(model, contextCount: 40, pool: WorkerPool(threadCount: 1))
    _ = try session.run(Self.tokens(20))
    let fork = session.fork(keeping: 20, contextCount: 30)
    let expected = try single(fork, [5, 6, 7])
    #expect(try single(session, [9, 10]) != Array(expected.prefix(2)))
    session.truncate(to: 20)
    #expect(try single(session, [5, 6, 7]) == expected)
    #expect(fork.contextCount == 30)
    #expect(throws: ModelError.self) { try fork.run(Self.tokens(8)) }
  }

  @Test("Guesses fit the context, and end where rotary embeddings change")
  func limitsGuesses() throws {
    let pool = WorkerPool(threadCount: 1)
    let plain = InferenceSession(
      try LanguageModel(path: Fixtures.path("models/llama-grouped")), contextCount: 24, pool: pool)
    _ = try plain.run(Self.tokens(20))
    #expect(plain.guessCount(8) == 3)
    #expect(plain.guessCount(2) == 2)
    #expect(plain.guessCount(-1) == 0)
    _ = try plain.run(Self.tokens(4))
    #expect(plain.guessCount(8) == 0)
    // Its frequencies depend on the length from 64 tokens on.
    let stretched = InferenceSession(
      try LanguageModel(path: Fixtures.path("models/llama-dynamic")), contextCount: 200, pool: pool)
    _ = try stretched.run(Self.tokens(60))
    #expect(stretched.guessCount(8) == 3)
    _ = try stretched.run(Self.tokens(20))
    #expect(stretched.guessCount(8) == 0)
    // Its positions are learned, 256 of them.
    let learned = InferenceSession(
      try LanguageModel(path: Fixtures.path("models/gpt2")), contextCount: 400, pool: pool)
    _ = try learned.run(Self.tokens(250))
    #expect(learned.guessCount(8) == 5)
  }

  @Test("Steps that do not fit are refused, and nothing is run")
  func refuses() throws {
    let model = try LanguageModel(path: Fixtures.path("models/llama-grouped"))
    let session = InferenceSession(model, contextCount: 8, pool: WorkerPool(threadCount: 1))
    _ = try session.run([3, 4, 5, 6])
    let full = session.fork(keeping: 4, contextCount: 4)
    for tokens in [[], [3], [64]] {
      let steps = [
        InferenceSession.Step(session: session, tokens: [7]),
        InferenceSession.Step(session: full, tokens: tokens),
      ]
      #expect(throws: ModelError.self) { try InferenceSession.run(steps) }
      #expect(session.tokens.count == 4)
    }
  }
}
