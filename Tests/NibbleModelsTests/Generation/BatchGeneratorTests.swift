import NibbleModels
import NibbleTensors
import TestSupport
import Testing

/// Several texts at once against each of them alone.
@Suite("Batches of texts")
struct BatchGeneratorTests {
  private func requests(
    _ prompts: [[Int]], _ options: SamplingOptions = SamplingOptions(), tokenLimit: Int = 40
  ) -> [BatchGenerator.Request] {
    prompts.enumerated().map { index, prompt in
      var options = options
      options.seed += UInt64(index)
      return BatchGenerator.Request(prompt: prompt, options: options, tokenLimit: tokenLimit)
    }
  }

  /// Compares a batch with its texts alone, and returns it.
  @discardableResult private func compare(
    _ model: LanguageModel, _ requests: [BatchGenerator.Request], contextLimit: Int? = nil,
    guessLimit: Int = 0, threadCount: Int = 1
  ) throws -> BatchGenerator {
    var generator = try BatchGenerator(
      model, requests, pool: WorkerPool(threadCount: threadCount), contextLimit: contextLimit,
      guessLimit: guessLimit)
    let together = try GeneratedText.together(&generator)
    for (index, request) in requests.enumerated() {
      let alone = try GeneratedText.alone(model, request, contextLimit: contextLimit)
      #expect(together[index] == alone, "text \(index)")
    }
    return generator
  }

  @Test("Prompts of unequal lengths, with nothing and much in common", arguments: GoldenModel.names)
  func prompts(_ name: String) throws {
    let model = try LanguageModel(path: Fixtures.path("models/\(name)"))
    let common = StepTests.tokens(45)
    let prompts = [
      common + [5, 6, 7], [9], common, [11, 12, 13, 14, 15], common + [5, 8], common + [5, 6, 7],
      StepTests.tokens(33, from: 90),
    ]
    for (way, options) in GeneratedText.waysToDraw.enumerated() {
      let batch = try compare(
        model, requests(prompts, options, tokenLimit: 16), guessLimit: way == 1 ? 4 : 0,
        threadCount: 1 + way % 2)
      // Whole tiles of the common start at least, and the prompt that is there twice.
      #expect(batch.sharedTokenCount >= 48 + 2 * 32)
      #expect(batch.sharedTokenCount < 48 + 2 * 48)
      #expect(batch.passCount < 16)
    }
  }

  @Test("Many samples of a prompt run it once")
  func samples() throws {
    let model = try LanguageModel(path: Fixtures.path("models/llama-grouped"))
    let prompt = StepTests.tokens(37)
    let options = GeneratedText.waysToDraw[2]
    let batch = try compare(
      model, requests([[Int]](repeating: prompt, count: 6), options), threadCount: 2)
    #expect(batch.sharedTokenCount == 5 * 37)
    // Keys and values of 2 blocks with 2 heads of 8 features, 2 bytes each.
    #expect(batch.cacheByteCount == 6 * 2 * 2 * 2 * 8 * 2 * (37 + 40))
  }

  @Test("Texts end at different times", arguments: [0, 8])
  func ends(_ guessLimit: Int) throws {
    // Three prompts after which this model says that the text ends, one sooner than the other.
    let model = try LanguageModel(path: Fixtures.path("models/qwen3-moe"))
    let prompts = ["ABC", "!9Z", "Q7Q7Q7"].map { model.tokenizer.encode($0) }
    var generator = try BatchGenerator(
      model, requests(prompts, tokenLimit: 120), pool: WorkerPool(threadCount: 1),
      guessLimit: guessLimit)
    let texts = try GeneratedText.together(&generator)
    #expect(texts.allSatisfy { $0.finish == .stop })
    #expect(Set(texts.map(\.tokenCount)).count == 3)
    try compare(model, requests(prompts, tokenLimit: 120), guessLimit: guessLimit, threadCount: 2)
    #expect(try generator.next() == nil)
  }

  @Test("The context fills up at different times", arguments: [0, 8])
  func fillsTheContext(_ guessLimit: Int) throws {
    let model = try LanguageModel(path: Fixtures.path("models/gemma3"))
    let prompts = [5, 39, 40, 31].map { StepTests.tokens($0) }
    let batch = try compare(
      model, requests(prompts), contextLimit: 40, guessLimit: guessLimit)
    #expect(batch.finishes == [.context, .context, .context, .context])
    #expect(batch.tokenCounts == [36, 2, 1, 10])
  }

  @Test(
    "Prompts longer than a pass share what is before and after its end",
    arguments: ["llama-odd-heads", "mistral-window"], [500, 512, 530])
  func longPrompts(_ name: String, _ commonCount: Int) throws {
    let model = try LanguageModel(path: Fixtures.path("models/\(name)"))
    let common = StepTests.tokens(commonCount)
    let prompts = [common + StepTests.tokens(60, from: 700), common + [4, 5], common + [4, 6]]
    let batch = try compare(model, requests(prompts, tokenLimit: 12), contextLimit: 640)
    #expect(batch.sharedTokenCount > 2 * (commonCount - 32))
  }

  @Test("Guesses make fewer passes of the same texts")
  func guesses() throws {
    let model = try LanguageModel(path: Fixtures.path("models/gemma3"))
    let prompts = ["ABCCCC", "ZZZZZZ", "Q7Q7Q7"].map { model.tokenizer.encode($0) }
    let list = requests(prompts, tokenLimit: 100)
    let plain = try compare(model, list)
    let guessing = try compare(model, list, guessLimit: 8, threadCount: 2)
    #expect(plain.passCount == 99)
    #expect(plain.speculation.guessedCount == 0)
    #expect(guessing.passCount < 60)
    #expect(guessing.speculation.acceptedCount > 100)
  }

  @Test("What cannot be done is refused with the number of the prompt")
  func refuses() throws {
    let model = try LanguageModel(path: Fixtures.path("models/llama-grouped"))
    func message(_ prompts: [[Int]], tokenLimit: Int = 5) -> String {
      do {
        var generator = try BatchGenerator(
          model, requests(prompts, tokenLimit: tokenLimit), pool: WorkerPool(threadCount: 1),
          contextLimit: 8)
        while try generator.next() != nil {}
        return ""
      } catch {
        #expect(error.code == .request)
        return error.description
      }
    }
    #expect(message([]).contains("no prompts"))
    #expect(message([[3], []]).contains("prompt 2 has no tokens"))
    #expect(message([[3], [4], StepTests.tokens(9)]).contains("prompt 3 has 9 tokens"))
    #expect(message([[3]], tokenLimit: 0).contains("no token"))
    #expect(message([[3], [64]]).contains("64"))
    #expect(message([[3], StepTests.tokens(8)]) == "")
    #expect(message([[3]], tokenLimit: .max) == "")
  }
}
