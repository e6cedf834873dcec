import Foundation
import NibbleCheckpoints
import TestSupport
import Testing

/// Several texts at once, and guesses, on the command line.
@Suite("nibble generate and chat with batches and guesses") struct BatchCommandTests {
  private let model = Fixtures.path("models/llama-grouped")

  private func json(_ arguments: [String]) throws -> JSONValue {
    let outcome = try CommandRunner.run(arguments + ["--json", "-q"])
    #expect(outcome.status == 0, "\(outcome.error)")
    return try JSONValue.parse(outcome.output)
  }

  @Test("generate: --speculate changes nothing but the passes")
  func speculates() throws {
    let base = ["generate", model, "--prompt", "ABC", "--max-tokens", "60"]
    let plain = try json(base)
    #expect(plain["speculation"] == nil)
    let guessing = try json(base + ["--speculate", "8"])
    #expect(guessing["text"] == plain["text"])
    #expect(guessing["finish"] == plain["finish"])
    let counts = try #require(guessing["speculation"])
    let accepted = try #require(counts["accepted"]?.integer)
    #expect(accepted > 10)
    #expect(try #require(counts["guessed"]?.integer) >= accepted)
    #expect(counts["passes"]?.integer == 59 - accepted)
    let told = try CommandRunner.run(base + ["--speculate", "8"])
    #expect(told.error.contains("passes after the prompt"))
    #expect(told.output == "ABC" + (plain["text"]?.string ?? "") + "\n")
  }

  @Test("generate: several prompts and samples are what each is alone")
  func batches() throws {
    let folder = try TemporaryFolder()
    let prompts = ["ABCABCABCABCABCABCABC", "X", "ABCABCABCABCABCABCXYZ"]
    try Data((prompts.joined(separator: "\n\n") + "\n").utf8).write(
      to: URL(filePath: folder.path("prompts.txt")))
    let shared = ["--max-tokens", "20", "--temperature", "1", "--top-k", "0", "--min-p", "0"]
    var alone: [JSONValue] = []
    for prompt in prompts {
      for seed in ["7", "8"] {
        alone.append(
          try json(["generate", model, "--prompt", prompt, "--seed", seed] + shared))
      }
    }
    let options = shared + ["--count", "2", "--seed", "7"]
    for arguments in [
      ["--prompts", folder.path("prompts.txt")],
      prompts.flatMap { ["--prompt", $0] } + ["--batch", "4", "--threads", "1"],
      ["--prompts", folder.path("prompts.txt"), "--speculate", "4"],
    ] {
      let result = try json(["generate", model] + arguments + options)
      let texts = try #require(result["texts"]?.array)
      #expect(texts.count == 6)
      for (text, expected) in zip(texts, alone) {
        for key in ["prompt", "text", "finish", "prompt_tokens", "generated_tokens"] {
          #expect(text[key] == expected[key], "\(key)")
        }
      }
      #expect(texts.map { $0["seed"]?.integer } == [7, 8, 7, 8, 7, 8])
      #expect(result["shared_prompt_tokens"]?.integer ?? 0 >= 21 + 1 + 21)
      #expect(result["cache_bytes"]?.integer ?? 0 > 0)
    }
  }

  @Test("generate: texts are printed in order under headings")
  func prints() throws {
    let base = ["generate", model, "--prompt", "ABC", "--prompt", "X", "--max-tokens", "10", "-q"]
    let texts = try json(base.filter { $0 != "-q" })["texts"]?.array ?? []
    let expected = texts.enumerated().map { index, text in
      "== \(index + 1) of 2, seed 0 ==\n" + (text["prompt"]?.string ?? "")
        + (text["text"]?.string ?? "") + "\n"
    }
    let printed = try CommandRunner.run(base)
    #expect(printed.status == 0, "\(printed.error)")
    #expect(printed.output == expected.joined())
    let short = try CommandRunner.run(base + ["--no-prompt"])
    #expect(short.output.contains("seed 0 ==\n" + (texts[0]["text"]?.string ?? "") + "\n"))
  }

  @Test("A prompt that does not fit is named")
  func refusesLongPrompts() throws {
    let long = String(repeating: "A", count: 600)
    let outcome = try CommandRunner.run(
      ["generate", model, "--prompt", "B", "--prompt", long, "-q"])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("prompt 2 has 600 tokens"), "\(outcome.error)")
    #expect(outcome.error.split(separator: "\n").count == 1)
    let folder = try TemporaryFolder()
    try Data("\n\n".utf8).write(to: URL(filePath: folder.path("empty.txt")))
    let empty = try CommandRunner.run(["generate", model, "--prompts", folder.path("empty.txt")])
    #expect(empty.status == 1)
    #expect(empty.error.contains("empty.txt"))
  }

  @Test(
    "Bad usage ends with 2",
    arguments: [
      ["--prompt", "y", "--prompts", "z"], ["--prompt", "y", "--count", "0"],
      ["--prompt", "y", "--batch", "0"], ["--prompt", "y", "--speculate", "-1"],
      ["--prompt", "y", "--speculate", "65"], ["--prompt", "-", "--prompt", "-"],
    ])
  func badUsage(_ arguments: [String]) throws {
    let outcome = try CommandRunner.run(["generate", "x"] + arguments)
    #expect(outcome.status == 2, "\(outcome.error)")
    #expect(outcome.output.isEmpty)
  }

  @Test("chat: --speculate changes nothing")
  func chats() throws {
    let folder = try TemporaryFolder()
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
      try FileManager.default.copyItem(atPath: "\(model)/\(name)", toPath: folder.path(name))
    }
    let template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    try Data(template.utf8).write(to: URL(filePath: folder.path("chat_template.jinja")))
    let base = ["chat", folder.url.path, "--message", "ABC", "--max-tokens", "60"]
    let plain = try json(base)
    let guessing = try json(base + ["--speculate", "8"])
    #expect(guessing["answer"] == plain["answer"])
    #expect(guessing["finish"] == plain["finish"])
    #expect(guessing["speculation"]?["accepted"]?.integer ?? 0 > 10)
  }
}
