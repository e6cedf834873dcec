import ArgumentParser
import Foundation
import Nibble

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Continue one text or several.",
    discussion: """
      Without --temperature the likeliest token is taken each time, so that the same command \
      prints the same text.

      Several texts (--prompt more than once, --prompts, --count) are continued together, each as \
      it would be alone: one reading of the weights serves a token of each, and what prompts have \
      in common at the start is run once. They are printed one after another under headings; with \
      --json they are the list "texts".

      Example:
        nibble generate model.gguf --prompt "Once upon a time" --max-tokens 64 --temperature 0.7
        nibble generate model.gguf --prompt "Once upon a time" --count 4 --temperature 0.7
        nibble generate model.gguf --prompts questions.txt --batch 8 --json
      """)

  @Argument(help: "A Hugging Face folder or a .gguf file.")
  var model: String

  @Option(help: "The text to continue; - reads standard input. May be given more than once.")
  var prompt: [String] = []

  @Option(help: "A UTF-8 text file with one prompt a line; empty lines are skipped.")
  var prompts: String?

  @Option(help: "Texts for each prompt: the first with --seed, each other with the next seed.")
  var count = 1

  @Option(help: "The most texts to continue together. Each takes memory for its keys and values.")
  var batch = 16

  @Option(help: "The most tokens to generate, for each text.")
  var maxTokens = 128

  @Flag(help: "Do not print the prompt before its continuation.")
  var noPrompt = false

  @OptionGroup var speculation: SpeculationOptions
  @OptionGroup var sampling: SamplingArguments
  @OptionGroup var cache: CacheOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    guard maxTokens > 0 else { throw ValidationError("--max-tokens must be at least 1.") }
    guard count > 0 else { throw ValidationError("--count must be at least 1.") }
    guard batch > 0 else { throw ValidationError("--batch must be at least 1.") }
    guard prompt.isEmpty == (prompts != nil) else {
      throw ValidationError("Give the text with --prompt, or a file of prompts with --prompts.")
    }
    guard prompt.count(where: { $0 == "-" }) < 2 else {
      throw ValidationError("Only one --prompt can be read from standard input.")
    }
  }

  func run() throws {
    let options = try sampling.options()
    let prompts = try readPrompts()
    let pool = threads.makePool()
    let model = try LanguageModel(path: model, pool: pool)
    for note in model.source.notes { output.note(note) }
    if prompts.count == 1, count == 1 {
      try generate(prompts[0], model, options, pool)
    } else {
      try generateTogether(prompts, model, options, pool)
    }
  }

  private func readPrompts() throws -> [String] {
    guard let prompts else {
      var texts: [String] = []
      for text in prompt { texts.append(text == "-" ? try readStandardInput() : text) }
      return texts
    }
    let lines = try readText(prompts).split(whereSeparator: \.isNewline)
    guard !lines.isEmpty else { throw FileError(path: prompts, reason: "holds no prompts") }
    return lines.map { String($0) }
  }

  private func generate(
    _ prompt: String, _ model: LanguageModel, _ options: SamplingOptions, _ pool: WorkerPool
  ) throws {
    let tokens = model.tokenizer.encode(prompt)
    let contextCount = min(model.config.contextCount, tokens.count + maxTokens)
    let session = InferenceSession(
      model, contextCount: contextCount, pool: pool, cacheType: cache.cacheType)
    var generator = try TextGenerator(
      session, prompt: tokens, options: options, tokenLimit: maxTokens,
      guessLimit: speculation.speculate)
    var text = ""
    if !output.json, !noPrompt { write(prompt) }
    let start = ContinuousClock.now
    while let piece = try generator.next() {
      text += piece
      if !output.json { write(piece) }
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    guard output.json else {
      write("\n")
      speculation.note(generator.speculation, output)
      return
    }
    var result = JSONObject([
      "prompt": .string(prompt), "text": .string(text),
      "prompt_tokens": .integer(Int64(tokens.count)),
      "generated_tokens": .integer(Int64(generator.tokenCount)),
      "finish": .string(generator.finish?.rawValue ?? ""), "seconds": .number(seconds),
    ])
    result["speculation"] = speculation.json(generator.speculation)
    print(JSONValue.object(result).text())
  }
}
