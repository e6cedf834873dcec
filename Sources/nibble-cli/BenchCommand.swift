import ArgumentParser
import Foundation
import Nibble

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time prompt processing and generation.",
    discussion: """
      Each repetition starts with an empty context, runs a prompt, then generates token by token. \
      One repetition warms up; the medians of the others are printed.

      Example:
        nibble bench model.gguf --prompt-tokens 512 --generate-tokens 64 --repeat 5
      """)

  @Argument(help: "A Hugging Face folder or a .gguf file.")
  var model: String

  @Option(help: "Tokens of the prompt.")
  var promptTokens = 512

  @Option(help: "Tokens to generate.")
  var generateTokens = 64

  @Option(help: "Repetitions that count.")
  var `repeat` = 5

  @OptionGroup var cache: CacheOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    guard promptTokens > 0, generateTokens > 0, `repeat` > 0 else {
      throw ValidationError("--prompt-tokens, --generate-tokens and --repeat must be at least 1.")
    }
  }

  func run() throws {
    let pool = threads.makePool()
    let start = ContinuousClock.now
    let model = try LanguageModel(path: model, pool: pool)
    let loading = (ContinuousClock.now - start) / .seconds(1)
    let session = InferenceSession(
      model, contextCount: promptTokens + generateTokens, pool: pool,
      cacheType: cache.cacheType)
    let vocabularyCount = model.config.vocabularyCount
    let tokens = (0..<max(promptTokens, generateTokens)).map { (100 + $0 % 500) % vocabularyCount }
    var prompts: [Double] = []
    var generations: [Double] = []
    let progress = output.progress()
    for repetition in 0...`repeat` {
      session.truncate(to: 0)
      let start = ContinuousClock.now
      _ = try session.run(Array(tokens.prefix(promptTokens)))
      let middle = ContinuousClock.now
      for token in tokens.prefix(generateTokens) { _ = try session.run([token]) }
      let end = ContinuousClock.now
      let tokensEach = promptTokens + generateTokens
      progress.report(
        JobProgress(
          phase: "timing", completed: (repetition + 1) * tokensEach,
          total: (`repeat` + 1) * tokensEach, unit: .tokens))
      guard repetition > 0 else { continue }
      prompts.append(Double(promptTokens) / ((middle - start) / .seconds(1)))
      generations.append(Double(generateTokens) / ((end - middle) / .seconds(1)))
    }
    progress.finish()
    report(
      Rates(prompts), Rates(generations), threadCount: pool.threadCount,
      preparation: Preparation(seconds: loading, byteCount: model.arrangedByteCount))
  }

  private func report(
    _ prompt: Rates, _ generation: Rates, threadCount: Int, preparation: Preparation
  ) {
    guard output.json else {
      let rows = [("prompt", promptTokens, prompt), ("generation", generateTokens, generation)].map
      {
        name, count, rates in
        [
          name, "\(count)", fixed(rates.median, 1), fixed(rates.smallest, 1),
          fixed(rates.largest, 1),
        ]
      }
      print(
        Table(
          columns: [
            .left("\(threadCount) threads"), .right("tokens"), .right("tokens/s"),
            .right("slowest"), .right("fastest"),
          ], rows: rows
        ).text)
      if preparation.byteCount > 0 {
        let megabytes = fixed(Double(preparation.byteCount) / 1e6, 1)
        let seconds = fixed(preparation.seconds, 1)
        print("\(megabytes) MB of weights arranged in memory, opened in \(seconds) s")
      }
      return
    }
    let result: JSONValue = [
      "prompt_tokens_per_second": .number(prompt.median),
      "prompt_tokens_per_second_range": [.number(prompt.smallest), .number(prompt.largest)],
      "generate_tokens_per_second": .number(generation.median),
      "generate_tokens_per_second_range": [
        .number(generation.smallest), .number(generation.largest),
      ],
      "prompt_tokens": .integer(Int64(promptTokens)),
      "generate_tokens": .integer(Int64(generateTokens)),
      "threads": .integer(Int64(threadCount)),
      "load_seconds": .number(preparation.seconds),
      "arranged_bytes": .integer(Int64(preparation.byteCount)),
    ]
    print(result.text())
  }
}

/// What opening the model took.
private struct Preparation {
  let seconds: Double
  /// Bytes of weights that were arranged in memory.
  let byteCount: Int
}

/// Smallest, median and largest of some rates.
private struct Rates {
  let smallest: Double
  let median: Double
  let largest: Double

  init(_ values: [Double]) {
    let sorted = values.sorted()
    smallest = sorted.first ?? 0
    median = sorted.isEmpty ? 0 : (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    largest = sorted.last ?? 0
  }
}
