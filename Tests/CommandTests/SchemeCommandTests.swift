import Foundation
import Nibble
import TestSupport
import Testing

@Suite("nibble quantize with schemes", .serialized)
struct SchemeCommandTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try TinyModel().write(to: folder.path("model"))
  }

  func quantize(_ arguments: String...) throws -> CommandRunner.Outcome {
    try CommandRunner.run(["quantize", folder.path("model"), "-o", folder.path("out")] + arguments)
  }

  @Test("From a checkpoint to text, and inspected and compared")
  func path() throws {
    let made = try quantize("--type", "int4-g64-asym", "--range", "mse", "--json")
    #expect(made.status == 0, "\(made.error)")
    #expect(try JSONValue.parse(made.output)["verified"] == .bool(true))
    let spoken = try CommandRunner.run([
      "generate", folder.path("out"), "--prompt", "a", "--max-tokens", "4", "--quiet",
    ])
    #expect(spoken.status == 0, "\(spoken.error)")
    let seen = try CommandRunner.run(["inspect", folder.path("out"), "--json"])
    #expect(seen.status == 0 && seen.output.contains("int4-g64-asym"))
    let compared = try CommandRunner.run([
      "compare", folder.path("out"), "--against", folder.path("model"), "--json",
    ])
    #expect(compared.status == 0, "\(compared.error)")
  }

  @Test(
    "Bad types, ranges and combinations end with 2 and write nothing",
    arguments: [
      ["--type", "int4-g64-mystery"], ["--type", "int9"],
      ["--type", "int4-g64-sym", "--range", "best"],
      ["--type", "int4-g64-sym", "--range", "percentile=0"],
      ["--type", "int4-g64-asym", "--method", "hqq", "--range", "mse"],
      ["--type", "q4_k_m", "--range", "mse"], ["--type", "kmeans4-row", "--range", "mse"],
      ["--type", "int4-g64-asym", "--format", "gguf"],
      ["--type", "int4-g64-asym", "--keep", "no_such_tensor"],
    ])
  func badUsage(arguments: [String]) throws {
    let outcome = try CommandRunner.run(
      ["quantize", folder.path("model"), "-o", folder.path("out")] + arguments)
    #expect(outcome.status == 2, "\(outcome.error)")
    #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
  }

  @Test("A folder of another tool: written, run, planned and converted")
  func otherTools() throws {
    let made = try quantize("--type", "int4-g32-asym", "--format", "gptq_v2", "--json")
    #expect(made.status == 0, "\(made.error)")
    let spoken = try CommandRunner.run([
      "generate", folder.path("out"), "--prompt", "a", "--max-tokens", "3", "--quiet",
    ])
    #expect(spoken.status == 0, "\(spoken.error)")
    let convert = ["convert", folder.path("out"), "-o", folder.path("awq"), "--format", "awq"]
    let planned = try CommandRunner.run(convert + ["--dry-run"])
    #expect(planned.status == 0, "\(planned.error)")
    #expect(planned.output.components(separatedBy: "exact").count == 15)
    #expect(!FileManager.default.fileExists(atPath: folder.path("awq")))
    let rows = try JSONValue.parse(try CommandRunner.run(convert + ["--dry-run", "--json"]).output)
    #expect(rows.array?.contains { $0["reason"]?.string == "exact" } ?? false)
    #expect(try CommandRunner.run(convert).status == 0)
    let verified = try CommandRunner.run([
      "verify", folder.path("awq"), "--against", folder.path("out"),
    ])
    #expect(verified.status == 0, "\(verified.error)")
    let refused = try CommandRunner.run([
      "convert", folder.path("out"), "-o", folder.path("bnb"), "--format", "bitsandbytes",
    ])
    #expect(refused.status == 1)
    #expect(refused.error.contains("cannot be stored there as it is"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("bnb")))
  }

  @Test("Schemes are multiplied as integers, or on request in float")
  func products() throws {
    let made = try quantize("--type", "int4-g64-sym")
    #expect(made.status == 0, "\(made.error)")
    let text = folder.path("text.txt")
    let letters = (0..<400).map { index -> UInt8 in
      let mixed = index * 17 + index / 7
      return UInt8(97 + mixed % 26)
    }
    try Data(letters).write(to: URL(filePath: text))
    let evaluate = [
      "evaluate", folder.path("out"), "--text", text, "--context", "64", "--json", "-q",
    ]
    let perplexities = try [evaluate, evaluate + ["--float-products"]].map { arguments in
      let outcome = try CommandRunner.run(arguments)
      #expect(outcome.status == 0, "\(outcome.error)")
      return try #require(JSONValue.parse(outcome.output)["perplexity"]?.number)
    }
    #expect(perplexities[0] != perplexities[1])
    #expect(abs(perplexities[0] / perplexities[1] - 1) < 0.05)
    for (model, isArranged) in [("out", true), ("model", false)] {
      let timed = try CommandRunner.run([
        "bench", folder.path(model), "--prompt-tokens", "16", "--generate-tokens", "4", "--repeat",
        "1", "--json", "-q",
      ])
      #expect(timed.status == 0, "\(timed.error)")
      let bytes = try #require(JSONValue.parse(timed.output)["arranged_bytes"]?.integer)
      #expect((bytes > 0) == isArranged)
    }
  }

  @Test("HQQ is a method")
  func hqq() throws {
    let outcome = try quantize("--type", "int4-g64-min", "--method", "hqq", "--json")
    #expect(outcome.status == 0, "\(outcome.error)")
  }
}
