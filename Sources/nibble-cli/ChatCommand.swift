import ArgumentParser
import Foundation
import Nibble

struct ChatCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chat",
    abstract: "Talk with a model through its own chat template.",
    discussion: """
      Reads one message a line from standard input; an empty line or end of file ends the \
      conversation. With --message it answers once and exits.

      Example:
        nibble chat model.gguf --system "Answer briefly."
      """)

  @Argument(help: "A Hugging Face folder or a .gguf file.")
  var model: String

  @Option(help: "Instructions that stand before the conversation.")
  var system: String?

  @Option(help: "Send this message, print the answer, and exit.")
  var message: String?

  @Option(help: "The most tokens of an answer.")
  var maxTokens = 512

  @Option(help: "Tokens that the whole conversation may take.")
  var context = 4096

  @OptionGroup var speculation: SpeculationOptions
  @OptionGroup var sampling: SamplingArguments
  @OptionGroup var cache: CacheOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    guard maxTokens > 0 else { throw ValidationError("--max-tokens must be at least 1.") }
    guard context > 1 else { throw ValidationError("--context must be at least 2.") }
    guard !output.json || message != nil else { throw ValidationError("--json needs --message.") }
  }

  func run() throws {
    let options = try sampling.options()
    let pool = threads.makePool()
    let model = try LanguageModel(path: model, pool: pool)
    for note in model.source.notes { output.note(note) }
    let session = InferenceSession(
      model, contextCount: min(context, model.config.contextCount), pool: pool,
      cacheType: cache.cacheType)
    let chat = try ChatSession(session, system: system)
    if let message {
      try answer(message, chat, options)
      return
    }
    let isTerminal = isatty(STDIN_FILENO) == 1
    while true {
      if isTerminal { write("> ") }
      guard let line = readLine(), !line.isEmpty else { return }
      try answer(line, chat, options)
    }
  }

  private func answer(_ message: String, _ chat: ChatSession, _ options: SamplingOptions) throws {
    let finish = try chat.send(
      message, options: options, tokenLimit: maxTokens, guessLimit: speculation.speculate
    ) { piece in
      if !output.json { write(piece) }
      return true
    }
    guard output.json else {
      write("\n")
      if finish == .context { output.note("the context is full: the answer was cut") }
      speculation.note(chat.speculation, output)
      return
    }
    var result = JSONObject([
      "answer": .string(chat.messages.last?.content ?? ""),
      "finish": .string(finish?.rawValue ?? ""),
    ])
    result["speculation"] = speculation.json(chat.speculation)
    print(JSONValue.object(result).text())
  }
}
