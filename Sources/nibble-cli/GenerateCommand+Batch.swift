import ArgumentParser
import Nibble

extension GenerateCommand {
  /// Continues several texts, some of them at a time, and shows them in order.
  func generateTogether(
    _ prompts: [String], _ model: LanguageModel, _ options: SamplingOptions, _ pool: WorkerPool
  ) throws {
    var texts: [BatchText] = []
    for prompt in prompts {
      let tokens = model.tokenizer.encode(prompt)
      for sample in 0..<count {
        texts.append(
          BatchText(prompt: prompt, tokens: tokens, seed: options.seed &+ UInt64(sample)))
      }
    }
    var display = BatchDisplay(
      textCount: texts.count, showsText: !output.json, showsPrompts: !noPrompt)
    var summary = BatchSummary()
    let start = ContinuousClock.now
    for first in stride(from: 0, to: texts.count, by: batch) {
      let part = first..<min(first + batch, texts.count)
      var requests: [BatchGenerator.Request] = []
      for text in texts[part] {
        var options = options
        options.seed = text.seed
        requests.append(
          BatchGenerator.Request(prompt: text.tokens, options: options, tokenLimit: maxTokens))
      }
      var generator = try BatchGenerator(
        model, requests, pool: pool, cacheType: cache.cacheType,
        guessLimit: speculation.speculate)
      while let pieces = try generator.next() {
        for piece in pieces { texts[first + piece.index].text += piece.text }
        for index in part {
          texts[index].finish = generator.finishes[index - first]
          texts[index].tokenCount = generator.tokenCounts[index - first]
        }
        display.show(texts)
      }
      summary.add(generator)
    }
    summary.seconds = (ContinuousClock.now - start) / .seconds(1)
    guard output.json else { return speculation.note(summary.speculation, output) }
    var result = JSONObject([
      "texts": .array(texts.map(\.json)),
      "passes": .integer(Int64(summary.speculation.passCount)),
      "shared_prompt_tokens": .integer(Int64(summary.sharedTokenCount)),
      "cache_bytes": .integer(Int64(summary.cacheByteCount)),
      "seconds": .number(summary.seconds),
    ])
    result["speculation"] = speculation.json(summary.speculation)
    print(JSONValue.object(result).text())
  }
}

/// One of several texts.
private struct BatchText {
  let prompt: String
  let tokens: [Int]
  let seed: UInt64
  var text = ""
  var tokenCount = 0
  /// Why it ended; nil while it goes on.
  var finish: TextGenerator.Finish?

  init(prompt: String, tokens: [Int], seed: UInt64) {
    self.prompt = prompt
    self.tokens = tokens
    self.seed = seed
  }

  var json: JSONValue {
    [
      "prompt": .string(prompt),
      "seed": Int64(exactly: seed).map { .integer($0) } ?? .number(Double(seed)),
      "text": .string(text),
      "prompt_tokens": .integer(Int64(tokens.count)),
      "generated_tokens": .integer(Int64(tokenCount)),
      "finish": .string(finish?.rawValue ?? ""),
    ]
  }
}

/// What all batches took together.
private struct BatchSummary {
  var sharedTokenCount = 0
  /// Of the batch that took most.
  var cacheByteCount = 0
  /// Passes that several texts share count once.
  var speculation = SpeculationCounts()
  var seconds = 0.0

  mutating func add(_ generator: BatchGenerator) {
    sharedTokenCount += generator.sharedTokenCount
    cacheByteCount = max(cacheByteCount, generator.cacheByteCount)
    speculation.passCount += generator.passCount
    speculation.guessedCount += generator.speculation.guessedCount
    speculation.acceptedCount += generator.speculation.acceptedCount
  }
}

/// Prints texts one after another while all of them grow: the first that has not ended as it comes, the others when it
/// is their turn.
private struct BatchDisplay {
  let textCount: Int
  let showsText: Bool
  let showsPrompts: Bool
  /// The text whose turn it is.
  private var index = 0
  /// UTF-8 bytes of it that are printed; nil before its heading.
  private var printedCount: Int?

  init(textCount: Int, showsText: Bool, showsPrompts: Bool) {
    self.textCount = textCount
    self.showsText = showsText
    self.showsPrompts = showsPrompts
  }

  mutating func show(_ texts: [BatchText]) {
    guard showsText else { return }
    while index < textCount {
      let text = texts[index]
      guard printedCount != nil || text.tokenCount > 0 || text.finish != nil else { return }
      if printedCount == nil {
        write("== \(index + 1) of \(textCount), seed \(text.seed) ==\n")
        if showsPrompts { write(text.prompt) }
      }
      write(String(decoding: text.text.utf8.dropFirst(printedCount ?? 0), as: UTF8.self))
      printedCount = text.text.utf8.count
      guard text.finish != nil else { return }
      write("\n")
      printedCount = nil
      index += 1
    }
  }
}
