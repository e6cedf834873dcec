import NibbleModels
import NibbleTensors
import TestSupport
import Testing

/// Ten thousand tokens: memory stays what it was, and the text the same.
@Suite("Long texts")
struct LongGenerationTests {
  static let tokenLimit = 10_000

  /// Generates with a model whose attention sees 24 tokens, so that a long text is no slower than a short one.
  private func generate(guessLimit: Int) throws -> (
    session: InferenceSession, generator: TextGenerator, text: String, earlyByteCount: Int
  ) {
    let model = try LanguageModel(path: Fixtures.path("models/mistral-window"))
    let prompt = model.tokenizer.encode("ABC")
    let session = InferenceSession(
      model, contextCount: prompt.count + Self.tokenLimit, pool: WorkerPool(threadCount: 1),
      cacheType: .float16)
    var generator = try TextGenerator(
      session, prompt: prompt, options: SamplingOptions(), tokenLimit: Self.tokenLimit,
      guessLimit: guessLimit)
    var text = ""
    var earlyByteCount = 0
    while let piece = try generator.next() {
      text += piece
      if generator.tokenCount == 1_000 { earlyByteCount = session.activationByteCount }
    }
    return (session, generator, text, earlyByteCount)
  }

  @Test("Memory does not grow, with guesses or without")
  func memory() throws {
    let plain = try generate(guessLimit: 0)
    #expect(plain.generator.tokenCount == Self.tokenLimit)
    #expect(plain.earlyByteCount > 0)
    #expect(plain.session.activationByteCount == plain.earlyByteCount)
    // Keys and values of 2 blocks with 2 heads of 8 features, 2 bytes each.
    #expect(plain.session.cacheByteCount == 2 * 2 * 2 * 8 * 2 * (3 + Self.tokenLimit))

    let guessing = try generate(guessLimit: 8)
    #expect(guessing.text == plain.text)
    #expect(guessing.session.tokens == plain.session.tokens)
    #expect(guessing.session.cacheByteCount == plain.session.cacheByteCount)
    // Up to nine rows of a tiny model.
    #expect(guessing.session.activationByteCount < 1 << 20)
    #expect(guessing.generator.speculation.passCount < Self.tokenLimit / 4)
  }
}
