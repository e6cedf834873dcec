import ArgumentParser
import Foundation
import Nibble

struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize",
    abstract: "Turn text into tokens as a model sees them, or tokens back into text.",
    discussion: """
      MODEL is a folder with a tokenizer (tokenizer.json; tokenizer.model or spiece.model of SentencePiece; vocab.json \
      with merges.txt) or a GGUF file; neither needs weights.

      Without --ids each token is printed on a line of its own: its id, then its text in quotes.

      With --chat the text is a conversation: a list of messages, or an object with messages and what else the model's \
      chat template reads, such as tools, add_generation_prompt (true where it is left out) or enable_thinking.

      Examples:
        nibble tokenize SmolLM2-135M-Instruct --text prompt.txt
        nibble tokenize SmolLM2-135M-Instruct --text conversation.json --chat --json
        echo "Hello there" | nibble tokenize model.gguf --text - --ids
        echo "9906 1070" | nibble tokenize model.gguf --text - --decode
      """)

  @Argument(help: "A folder with a tokenizer, or a .gguf file.")
  var model: String

  @Option(
    help: ArgumentHelp(
      "The text, or with --decode the ids; - reads standard input.", valueName: "file"))
  var text: String

  @Flag(help: "Print ids alone, with spaces between them.")
  var ids = false

  @Flag(help: "Read ids, between spaces or commas, and print their text.")
  var decode = false

  @Flag(help: "Read a conversation in JSON and put it through the model's chat template first.")
  var chat = false

  @Flag(help: "Take each line as a text of its own, and print one line for each.")
  var lines = false

  @Flag(
    help: "Put no begin and end tokens around the text; with --decode, leave special tokens out.")
  var noSpecial = false

  @Flag(help: "Read the spelling of a special token in the text as plain text.")
  var plain = false

  @Flag(help: "Print one JSON object on standard output and nothing else there.")
  var json = false

  func validate() throws {
    if decode, ids { throw ValidationError("--ids is what --decode reads; leave one out.") }
    if decode, plain { throw ValidationError("--plain is about text; leave out --decode.") }
    if chat, decode || plain || noSpecial {
      throw ValidationError("--chat goes together with --ids, --lines and --json only.")
    }
  }

  func run() throws {
    let tokenizer = try Tokenizer.open(model)
    let input = text == "-" ? try readStandardInput() : try readText(text)
    let parts = lines ? Self.split(input) : [input]
    if chat { return try show(conversations: parts, tokenizer) }
    let start = ContinuousClock.now
    if decode {
      let texts = try parts.map { part in
        tokenizer.decode(try readIDs(part, tokenizer), skipSpecialTokens: noSpecial)
      }
      try show(texts: texts, seconds: (ContinuousClock.now - start) / .seconds(1))
    } else {
      let tokens = parts.map {
        tokenizer.encode($0, addSpecialTokens: !noSpecial, parseSpecialTokens: !plain)
      }
      try show(tokens: tokens, tokenizer, seconds: (ContinuousClock.now - start) / .seconds(1))
    }
  }

  /// The lines of a text, ended by line feeds alone; other line breaks are text.
  private static func split(_ text: String) -> [String] {
    var lines = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    return lines.map { String(Substring($0)) }
  }

  private func readIDs(_ text: String, _ tokenizer: Tokenizer) throws -> [Int] {
    let words = text.split { $0.isWhitespace || $0 == "," || $0 == "[" || $0 == "]" }
    return try words.map { word in
      guard let id = Int(word) else {
        throw FileError(path: self.text, reason: "\"\(word.prefix(40))\" is not an id")
      }
      guard id >= 0, id < tokenizer.definition.vocabularySize else {
        throw FileError(
          path: self.text,
          reason: "\(id) is outside the vocabulary of \(tokenizer.definition.vocabularySize)")
      }
      return id
    }
  }

  private func show(conversations: [String], _ tokenizer: Tokenizer) throws {
    guard let source = tokenizer.definition.chatTemplate else {
      throw ModelError(.template, "the model has no chat template", file: model)
    }
    let template = try ChatTemplate(source: source)
    var results: [JSONValue] = []
    for conversation in conversations {
      do {
        let prompt = try render(conversation, template, tokenizer)
        let tokens = tokenizer.encode(prompt, addSpecialTokens: false)
        results.append([
          "text": .string(prompt), "ids": .array(tokens.map { .integer(Int64($0)) }),
        ])
        if json { continue }
        if ids || lines {
          write(tokens.map { "\($0)" }.joined(separator: " ") + "\n")
        } else {
          write(rows(tokens, tokenizer))
        }
      } catch let error as ModelError where lines && json {
        results.append(["error": .string(error.description)])
      }
    }
    if json {
      let result = lines ? ["conversations": .array(results)] : results.first ?? .null
      print(result.text())
    }
  }

  private func render(_ text: String, _ template: ChatTemplate, _ tokenizer: Tokenizer) throws
    -> String
  {
    let value = try JSONValue.parse(text)
    var members = value.object ?? JSONObject(["messages": value])
    let messages = try (members["messages"]?.array ?? []).map { try ChatMessage(json: $0) }
    let tools = members["tools"]
    let addsPrompt = members["add_generation_prompt"]?.bool ?? true
    for key in ["messages", "tools", "add_generation_prompt"] { members[key] = nil }
    return try template.render(
      messages: messages, addGenerationPrompt: addsPrompt,
      specialTokens: tokenizer.definition.specialTokens, tools: tools, extra: members)
  }

  private func show(texts: [String], seconds: Double) throws {
    guard json else {
      return write(texts.map { $0 + (lines || !$0.hasSuffix("\n") ? "\n" : "") }.joined())
    }
    let values = texts.map { JSONValue.string($0) }
    print(
      JSONValue.object(
        JSONObject([
          "text": lines ? .array(values) : values.first ?? "", "seconds": .number(seconds),
        ])
      ).text())
  }

  private func show(tokens: [[Int]], _ tokenizer: Tokenizer, seconds: Double) throws {
    func text(_ id: Int) -> String {
      String(decoding: tokenizer.bytes(of: id), as: UTF8.self)
    }
    if json {
      let ids = tokens.map { JSONValue.array($0.map { .integer(Int64($0)) }) }
      let texts = tokens.map { JSONValue.array($0.map { .string(text($0)) }) }
      let result: JSONValue = [
        "tokens": .integer(Int64(tokens.reduce(0) { $0 + $1.count })),
        "ids": lines ? .array(ids) : ids.first ?? [],
        "texts": lines ? .array(texts) : texts.first ?? [],
        "vocabulary": .integer(Int64(tokenizer.definition.vocabularySize)),
        "seconds": .number(seconds),
      ]
      return print(result.text())
    }
    if ids || lines {
      return write(tokens.map { $0.map { "\($0)" }.joined(separator: " ") + "\n" }.joined())
    }
    write(rows(tokens.first ?? [], tokenizer))
  }

  private func rows(_ tokens: [Int], _ tokenizer: Tokenizer) -> String {
    tokens.map { id in
      let text = JSONValue.string(String(decoding: tokenizer.bytes(of: id), as: UTF8.self)).text()
      return "\(id)\t\(text)\n"
    }.joined()
  }
}
