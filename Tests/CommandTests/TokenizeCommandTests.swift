import Foundation
import NibbleCheckpoints
import NibbleModels
import TestSupport
import Testing

@Suite("nibble tokenize") struct TokenizeCommandTests {
  private func folder(_ files: [String: String] = [:]) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(
      atPath: Fixtures.path("tokenizers/llama.model"), toPath: folder.path("tokenizer.model"))
    for (name, text) in files {
      try Data(text.utf8).write(to: URL(filePath: folder.path(name)))
    }
    return folder
  }

  private func run(_ arguments: [String]) throws -> String {
    let outcome = try CommandRunner.run(["tokenize"] + arguments)
    #expect(outcome.status == 0, "\(outcome.error)")
    return outcome.output
  }

  @Test("ids, one text or one a line, and back")
  func tokenizes() throws {
    let folder = try folder(["text.txt": "the thing\nother é words\n"])
    let text = folder.path("text.txt")
    let tokenizer = try Tokenizer.open(folder.url.path)
    let tokens = tokenizer.encode("the thing\nother é words\n")
    #expect(
      try run([folder.url.path, "--text", text, "--ids"])
        == tokens.map { "\($0)" }.joined(separator: " ") + "\n")
    let lines = try run([folder.url.path, "--text", text, "--lines", "--no-special"])
    #expect(lines.split(separator: "\n").count == 2)
    try Data(lines.utf8).write(to: URL(filePath: folder.path("ids.txt")))
    let back = try run([folder.url.path, "--text", folder.path("ids.txt"), "--decode", "--lines"])
    #expect(back == "the thing\nother é words\n")
    let json = try JSONValue.parse(try run([folder.url.path, "--text", text, "--json"]))
    #expect(json["ids"]?.array?.compactMap(\.integer) == tokens)
    #expect(json["tokens"]?.integer == tokens.count)
    #expect(json["texts"]?.array?.count == tokens.count)
    let table = try run([folder.url.path, "--text", text])
    #expect(table.split(separator: "\n").count == tokens.count)
    #expect(table.hasPrefix("1\t\"<s>\"\n"))
  }

  @Test("special tokens in the text count as such unless it is plain")
  func plain() throws {
    let folder = try folder(["text.txt": "a</s>"])
    let base = [folder.url.path, "--text", folder.path("text.txt"), "--ids", "--no-special"]
    #expect(try run(base).hasSuffix(" 2\n"))
    #expect(try !run(base + ["--plain"]).hasSuffix(" 2\n"))
  }

  @Test("a conversation goes through the chat template; what it refuses is told")
  func conversations() throws {
    let template = """
      {% if not messages %}{{ raise_exception('empty') }}{% endif %}\
      {% for m in messages %}<s>{{ m.role }}: {{ m.content }}{% if m.thinking %} ({{ m.thinking }})\
      {% endif %}</s>{% endfor %}{{ 'ask' if add_generation_prompt }}{{ mood }}
      """
    let folder = try folder(["chat_template.jinja": template])
    let input = folder.path("chat.jsonl")
    let lines = [
      #"[{"role": "user", "content": "hi"}]"#,
      #"{"messages": [{"role": "assistant", "content": "x", "reasoning": "y"}], "mood": "!", "add_generation_prompt": false}"#,
      "[]",
    ]
    try Data(lines.joined(separator: "\n").utf8).write(to: URL(filePath: input))
    let result = try JSONValue.parse(
      try run([folder.url.path, "--text", input, "--chat", "--lines", "--json"]))
    let conversations = try #require(result["conversations"]?.array)
    #expect(
      conversations.map { $0["text"]?.string } == [
        "<s>user: hi</s>ask", "<s>assistant: x (y)</s>!", nil,
      ])
    #expect(conversations[2]["error"]?.string?.contains("empty") == true)
    #expect(conversations[0]["ids"]?.array?.first?.integer == 1)
  }

  @Test("a GGUF file with a vocabulary and no tensors will do")
  func vocabularyOnly() throws {
    let folder = try folder(["text.txt": "the thing"])
    let definition = try Tokenizer.open(folder.url.path).definition
    let path = folder.path("vocabulary.gguf")
    var metadata = try definition.metadata()
    metadata["general.architecture"] = .string("llama")
    let writer = try GGUFWriter(path: path, metadata: metadata, plans: [])
    try writer.finish()
    let text = folder.path("text.txt")
    #expect(try run([path, "--text", text]) == run([folder.url.path, "--text", text]))
  }

  @Test("errors name the file and the reason")
  func errors() throws {
    let folder = try folder(["ids.txt": "1 x", "far.txt": "1 99999", "chat.json": "[]"])
    for (arguments, message) in [
      (["--text", folder.path("ids.txt"), "--decode"], "\"x\" is not an id"),
      (["--text", folder.path("far.txt"), "--decode"], "99999 is outside the vocabulary of"),
      (["--text", folder.path("none.txt")], "none.txt"),
      (["--text", folder.path("chat.json"), "--chat"], "the model has no chat template"),
    ] {
      let outcome = try CommandRunner.run(["tokenize", folder.url.path] + arguments)
      #expect(outcome.status == 1)
      #expect(outcome.error.contains(message), "\(outcome.error)")
      #expect(outcome.output.isEmpty)
    }
    let usage = try CommandRunner.run(["tokenize", "x", "--text", "y", "--decode", "--ids"])
    #expect(usage.status == 2)
  }
}
