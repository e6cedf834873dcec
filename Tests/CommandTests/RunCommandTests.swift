import Foundation
import NibbleCheckpoints
import TestSupport
import Testing

/// The commands that run a model: evaluate, generate, chat, bench.
@Suite("nibble evaluate, generate, chat and bench") struct RunCommandTests {
  private let model = Fixtures.path("models/llama-grouped")
  private let other = Fixtures.path("models/llama-3-scaling")

  private func json(_ outcome: CommandRunner.Outcome) throws -> JSONValue {
    #expect(outcome.status == 0, "\(outcome.error)")
    return try JSONValue.parse(outcome.output)
  }

  /// A text whose every character is a token of the fixtures.
  private func text(in folder: TemporaryFolder) throws -> String {
    let path = folder.path("text.txt")
    let bytes = (0..<400).map { index -> UInt8 in
      let mixed = index * 17 + index / 7
      return UInt8(35 + mixed % 50)
    }
    try Data(bytes).write(to: URL(filePath: path))
    return path
  }

  @Test("evaluate: the agreed keys, and no difference from itself")
  func evaluates() throws {
    let folder = try TemporaryFolder()
    let text = try text(in: folder)
    let alone = try json(
      CommandRunner.run(["evaluate", model, "--text", text, "--context", "64", "--json", "-q"]))
    #expect(alone["perplexity"]?.number ?? 0 > 1)
    #expect(alone["tokens"]?.integer == 6 * 31)
    #expect(alone["kld"] == nil)
    let same = try json(
      CommandRunner.run([
        "evaluate", model, "--reference", model, "--text", text, "--context", "64", "--chunks",
        "2", "--json", "-q",
      ]))
    #expect(same["kld"]?.number ?? 1 < 1e-9)
    #expect(same["same_top"]?.number == 1)
    #expect(same["reference_perplexity"]?.number == same["perplexity"]?.number)
    #expect(same["tokens"]?.integer == 62)
    let different = try json(
      CommandRunner.run([
        "evaluate", model, "--reference", other, "--text", text, "--context", "64", "--json", "-q",
      ]))
    #expect(different["kld"]?.number ?? 0 > 0.01)
  }

  @Test("evaluate: --cache-type f16 is what it does anyhow, f32 rounds less")
  func evaluatesWithAnotherCache() throws {
    let folder = try TemporaryFolder()
    let text = try text(in: folder)
    func perplexity(_ options: [String]) throws -> Double {
      let base = ["evaluate", model, "--text", text, "--context", "64", "--json", "-q"]
      return try json(CommandRunner.run(base + options))["perplexity"]?.number ?? 0
    }
    let usual = try perplexity([])
    #expect(try perplexity(["--cache-type", "f16"]) == usual)
    let single = try perplexity(["--cache-type", "f32"])
    #expect(single != usual)
    #expect(abs(single / usual - 1) < 1e-3)
    for type in ["bf16", "q8_0"] {
      let rounded = try perplexity(["--cache-type", type])
      #expect(rounded != usual)
      #expect(abs(rounded / usual - 1) < 1e-2)
    }
  }

  @Test("generate: repeatable, the seed decides, the prompt comes first")
  func generates() throws {
    let base = ["generate", model, "--prompt", "ABC", "--max-tokens", "12", "-q"]
    let first = try CommandRunner.run(base)
    #expect(first.status == 0)
    #expect(first.output.hasPrefix("ABC"))
    #expect(try CommandRunner.run(base + ["--threads", "1"]).output == first.output)
    let warm =
      base + ["--temperature", "1.5", "--top-k", "0", "--top-p", "1", "--min-p", "0", "--json"]
    let one = try json(CommandRunner.run(warm + ["--seed", "1"]))
    let again = try json(CommandRunner.run(warm + ["--seed", "1"]))
    let two = try json(CommandRunner.run(warm + ["--seed", "2"]))
    #expect(one["text"] == again["text"])
    #expect(one["text"] != two["text"])
    #expect(one["prompt_tokens"]?.integer == 3)
    #expect(["stop", "length"].contains(one["finish"]?.string))
  }

  @Test("chat: refuses a model without a template, answers with one")
  func chats() throws {
    let without = try CommandRunner.run(["chat", model, "--message", "hi"])
    #expect(without.status == 1)
    #expect(without.error.contains("chat template"))
    let folder = try TemporaryFolder()
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
      try FileManager.default.copyItem(atPath: "\(model)/\(name)", toPath: folder.path(name))
    }
    let template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    try Data(template.utf8).write(to: URL(filePath: folder.path("chat_template.jinja")))
    let answer = try json(
      CommandRunner.run([
        "chat", folder.url.path, "--message", "ABC", "--max-tokens", "5", "--json", "-q",
      ]))
    #expect(answer["answer"]?.string != nil)
    #expect(answer["finish"]?.string != nil)
  }

  @Test("bench: the agreed keys")
  func benches() throws {
    let result = try json(
      CommandRunner.run([
        "bench", model, "--prompt-tokens", "32", "--generate-tokens", "8", "--repeat", "2",
        "--json", "-q",
      ]))
    #expect(result["prompt_tokens_per_second"]?.number ?? 0 > 0)
    #expect(result["generate_tokens_per_second"]?.number ?? 0 > 0)
  }

  /// Command lines that make no sense: exit code 2 and a reason.
  static let badUsage: [[String]] = [
    ["evaluate"], ["evaluate", "x"], ["evaluate", "x", "--text", "y", "--context", "3"],
    ["evaluate", "x", "--text", "y", "--chunks", "0"], ["generate", "x"],
    ["generate", "x", "--prompt", "y", "--max-tokens", "0"],
    ["generate", "x", "--prompt", "y", "--temperature", "-1"],
    ["generate", "x", "--prompt", "y", "--top-p", "2"],
    ["bench", "x", "--repeat", "0"], ["chat", "x", "--json"], ["frobnicate"], ["bench"],
    ["bench", "x", "y", "z"], ["bench", "x", "y", "--profile"], ["bench", "x", "--context", "-1"],
    ["bench", "x", "--prompt-lengths", "1,,2"], ["bench", "x", "--prompt-lengths", "0"],
    ["bench", "x", "--instruction-set", "mmx"],
    ["bench", "x", "--threads", "0"], ["generate", "x", "--prompt", "y", "--cache-type", "f8"],
  ]

  @Test("Bad usage ends with 2", arguments: badUsage)
  func refusesBadUsage(_ arguments: [String]) throws {
    let outcome = try CommandRunner.run(arguments)
    #expect(outcome.status == 2, "\(outcome.error)")
    #expect(!outcome.error.isEmpty)
    #expect(outcome.output.isEmpty)
  }

  @Test("Work that cannot be done ends with 1 and one line that names the file")
  func namesWhatIsWrong() throws {
    let folder = try TemporaryFolder()
    let text = try text(in: folder)
    let missing = folder.path("missing.gguf")
    let bad = folder.path("bad.gguf")
    try Data("GGUF but no more".utf8).write(to: URL(filePath: bad))
    let latin = folder.path("latin.txt")
    try Data([0x41, 0xE9, 0x42]).write(to: URL(filePath: latin))
    for (arguments, name) in [
      (["evaluate", missing, "--text", text], "missing.gguf"),
      (["evaluate", bad, "--text", text], "bad.gguf"),
      (["evaluate", model, "--text", folder.path("no.txt")], "no.txt"),
      (["evaluate", model, "--text", latin], "latin.txt"),
      (["evaluate", model, "--text", folder.url.path], folder.url.lastPathComponent),
      (["generate", bad, "--prompt", "x"], "bad.gguf"),
      (["chat", missing, "--message", "x"], "missing.gguf"),
      (["bench", folder.url.path], folder.url.lastPathComponent),
    ] {
      let outcome = try CommandRunner.run(arguments)
      #expect(outcome.status == 1, "\(arguments): \(outcome.error)")
      #expect(outcome.error.contains(name), "\(outcome.error)")
      #expect(outcome.error.split(separator: "\n").count == 1, "\(outcome.error)")
      #expect(outcome.output.isEmpty)
    }
  }

  @Test(
    "Help has an example for each command", arguments: ["evaluate", "generate", "chat", "bench"])
  func helps(_ command: String) throws {
    let outcome = try CommandRunner.run([command, "--help"])
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("nibble \(command) model"))
  }
}
