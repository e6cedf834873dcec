import ArgumentParser
import Foundation
import Nibble

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Continue a text.",
    discussion: """
      Without --temperature the likeliest token is taken each time, so that the same command \
      prints the same text.

      Example:
        nibble generate model.gguf --prompt "Once upon a time" --max-tokens 64 --temperature 0.7
      """)

  @Argument(help: "A Hugging Face folder or a .gguf file.")
  var model: String

  @Option(help: "The text to continue; - reads standard input.")
  var prompt: String

  @Option(help: "The most tokens to generate.")
  var maxTokens = 128

  @Flag(help: "Do not print the prompt before its continuation.")
  var noPrompt = false

  @OptionGroup var sampling: SamplingArguments
  @OptionGroup var cache: CacheOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    guard maxTokens > 0 else { throw ValidationError("--max-tokens must be at least 1.") }
  }

  func run() throws {
    let options = try sampling.options()
    let prompt = prompt == "-" ? try readStandardInput() : prompt
    let pool = threads.makePool()
    let model = try LanguageModel(path: model, pool: pool)
    for note in model.source.notes { output.note(note) }
    let tokens = model.tokenizer.encode(prompt)
    let contextCount = min(model.config.contextCount, tokens.count + maxTokens)
    let session = InferenceSession(
      model, contextCount: contextCount, pool: pool, cacheType: cache.cacheType)
    var generator = try TextGenerator(
      session, prompt: tokens, options: options, tokenLimit: maxTokens)
    var text = ""
    if !output.json, !noPrompt { write(prompt) }
    let start = ContinuousClock.now
    while let piece = try generator.next() {
      text += piece
      if !output.json { write(piece) }
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    guard output.json else { return write("\n") }
    let result: JSONValue = [
      "prompt": .string(prompt), "text": .string(text),
      "prompt_tokens": .integer(Int64(tokens.count)),
      "generated_tokens": .integer(Int64(generator.tokenCount)),
      "finish": .string(generator.finish?.rawValue ?? ""), "seconds": .number(seconds),
    ]
    print(result.text())
  }
}
