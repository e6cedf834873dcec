import NibbleModels
import NibbleTensors
import TestSupport
import Testing

/// Generation with guesses against generation without them.
@Suite("Guessing ahead")
struct SpeculationTests {
  /// Full attention, windows, learned positions, experts, and rotary embeddings that depend on the length.
  static let names = [
    "llama-grouped", "llama-odd-heads", "mistral-window", "qwen2-window", "gemma3", "gpt2",
    "qwen3-moe", "llama-dynamic", "phi3-longrope",
  ]

  static let prompts = ["ABC", "Q7Q7Q7Q7Q7", "AB,AB,XAB,AB,XAB,AB", "!9Z"]

  /// Runs both side by side and compares them after every token. Returns what guessing did.
  private func compare(
    _ model: LanguageModel, _ prompt: [Int], _ options: SamplingOptions, tokenLimit: Int,
    contextCount: Int, guessLimit: Int, threadCount: Int
  ) throws -> SpeculationCounts {
    let plainSession = InferenceSession(
      model, contextCount: contextCount, pool: WorkerPool(threadCount: 1))
    let session = InferenceSession(
      model, contextCount: contextCount, pool: WorkerPool(threadCount: threadCount))
    var plain = try TextGenerator(
      plainSession, prompt: prompt, options: options, tokenLimit: tokenLimit)
    var guessing = try TextGenerator(
      session, prompt: prompt, options: options, tokenLimit: tokenLimit, guessLimit: guessLimit)
    while true {
      let expected = try plain.next()
      let piece = try guessing.next()
      try #require(piece == expected, "\(plain.tokenCount) tokens")
      try #require(session.tokens == plainSession.tokens, "\(plain.tokenCount) tokens")
      #expect(guessing.finish == plain.finish)
      if expected == nil { break }
    }
    #expect(guessing.tokenCount == plain.tokenCount)
    #expect(plain.speculation.guessedCount == 0)
    let counts = guessing.speculation
    #expect(counts.acceptedCount <= counts.guessedCount)
    #expect(counts.passCount + counts.acceptedCount == plain.speculation.passCount)
    return counts
  }

  @Test("The text is the same", arguments: names)
  func text(_ name: String) throws {
    let model = try LanguageModel(path: Fixtures.path("models/\(name)"))
    for prompt in Self.prompts {
      let tokens = model.tokenizer.encode(prompt)
      for (way, options) in GeneratedText.waysToDraw.enumerated() {
        let counts = try compare(
          model, tokens, options, tokenLimit: 100, contextCount: 200,
          guessLimit: way == 1 ? 3 : 8, threadCount: 1 + way % 2)
        // The last ways to draw avoid repetition, and so may a text that ends soon.
        if way == 0, counts.passCount > 60, name != "llama-dynamic" {
          #expect(counts.guessedCount > 0, "\(prompt)")
        }
      }
    }
  }

  @Test("Repetition is guessed", arguments: ["gemma3", "gpt2", "llama-grouped", "mistral-window"])
  func repetition(_ name: String) throws {
    let model = try LanguageModel(path: Fixtures.path("models/\(name)"))
    let counts = try compare(
      model, model.tokenizer.encode("ABC"), SamplingOptions(), tokenLimit: 200, contextCount: 256,
      guessLimit: 8, threadCount: 2)
    #expect(counts.acceptedCount > 60, "\(counts)")
    #expect(counts.passCount < 140, "\(counts)")
  }

  @Test("Limits are reached at the same token", arguments: 1...12)
  func limits(_ limit: Int) throws {
    let model = try LanguageModel(path: Fixtures.path("models/gemma3"))
    let prompt = model.tokenizer.encode("ABCCCCCCCC")
    for (tokenLimit, contextCount) in [(limit, 200), (100, prompt.count + limit)] {
      _ = try compare(
        model, prompt, SamplingOptions(), tokenLimit: tokenLimit, contextCount: contextCount,
        guessLimit: 8, threadCount: 1)
    }
  }

  @Test("A run that follows goes on from the same state")
  func goesOn() throws {
    let model = try LanguageModel(path: Fixtures.path("models/mistral-window"))
    let sessions = (0..<2).map { _ in
      InferenceSession(model, contextCount: 300, pool: WorkerPool(threadCount: 1))
    }
    for prompt in ["ABC", "XYZXYZ", "AAAA"] {
      var texts: [String] = []
      for (session, guessLimit) in zip(sessions, [0, 8]) {
        var generator = try TextGenerator(
          session, prompt: model.tokenizer.encode(prompt), options: SamplingOptions(),
          tokenLimit: 50, guessLimit: guessLimit)
        var text = ""
        // Stopped in the middle, perhaps with guesses that are right and not yet drawn.
        for _ in 0..<37 { text += try generator.next() ?? "" }
        texts.append(text)
      }
      #expect(texts[0] == texts[1])
      #expect(sessions[0].tokens == sessions[1].tokens)
    }
  }
}
