import Foundation
import Nibble
import TestSupport
import Testing

@Suite("nibble quantize, convert and verify", .serialized)
struct QuantizeCommandTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try TinyModel().write(to: folder.path("model"))
  }

  func quantize(_ arguments: String..., type: String = "q4_k_m") throws -> CommandRunner.Outcome {
    try CommandRunner.run(
      ["quantize", folder.path("model"), "-o", folder.path("out.gguf"), "--type", type] + arguments)
  }

  func files() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
  }

  @Test("JSON: one object with the agreed keys, nothing else on standard output")
  func json() throws {
    let outcome = try quantize("--json")
    #expect(outcome.status == 0)
    let json = try JSONValue.parse(outcome.output)
    for key in ["seconds", "output_bytes", "bits_per_weight", "peak_memory_bytes", "verified"] {
      #expect(json[key] != nil, "\(key)")
    }
    #expect(json["verified"] == .bool(true))
    let tensor = try #require(json["tensors"]?.array?.first)
    for key in ["name", "shape", "type", "bits_per_weight", "bytes", "relative_error", "reason"] {
      #expect(tensor[key] != nil, "\(key)")
    }
    #expect(outcome.error.contains("quantizing: "))
  }

  @Test("A table for people, silence when asked for")
  func table() throws {
    let outcome = try quantize()
    #expect(outcome.output.contains("blk.0.attn_norm.weight"))
    #expect(outcome.output.contains("norm, kept in F32"))
    #expect(outcome.output.contains("verified in"))
    let quiet = try quantize("--quiet")
    #expect(quiet.status == 0)
    #expect(quiet.output.isEmpty)
    #expect(quiet.error.isEmpty)
  }

  @Test("One and two threads give the same bytes")
  func threads() throws {
    _ = try quantize("--threads", "1")
    let one = try Data(contentsOf: URL(filePath: folder.path("out.gguf")))
    _ = try quantize("--threads", "2")
    #expect(try Data(contentsOf: URL(filePath: folder.path("out.gguf"))) == one)
  }

  @Test(
    "Bad usage ends with 2",
    arguments: [
      ["quantize"], ["quantize", "m", "-o", "o", "--type", "q9"], ["nonsense"],
      ["quantize", "m", "-o", "o", "--type", "q4_0", "--threads", "0"],
      ["quantize", "m", "-o", "o", "--type", "q4_0", "--override", "attn"],
      ["convert", "m", "-o", "o", "--format", "zip"], ["verify", "m"],
    ])
  func badUsage(_ arguments: [String]) throws {
    let outcome = try CommandRunner.run(arguments)
    #expect(outcome.status == 2)
    #expect(outcome.output.isEmpty)
    #expect(!outcome.error.isEmpty)
  }

  @Test("A rule that matches nothing ends with 2 and writes nothing")
  func idleRule() throws {
    let outcome = try quantize("--keep", "no_such_tensor")
    #expect(outcome.status == 2)
    #expect(outcome.error.contains("no_such_tensor"))
    #expect(try files() == ["model"])
  }

  @Test("Files that are missing, folders, outputs that cannot be: one line and exit code 1")
  func failures() throws {
    let model = folder.path("model")
    try Data("notes".utf8).write(to: URL(filePath: folder.path("notes.txt")))
    try Data("GGUF".utf8).write(to: URL(filePath: folder.path("short.gguf")))
    let cases = [
      (folder.path("nowhere"), folder.path("out.gguf")), (model, folder.path("no/such/out.gguf")),
      (model, model), (model, folder.path("notes.txt")), (model, "/proc/out.gguf"),
      (folder.path("short.gguf"), folder.path("out.gguf")),
      (folder.path("notes.txt"), folder.path("out.gguf")),
    ]
    for (source, output) in cases {
      let outcome = try CommandRunner.run(["quantize", source, "-o", output, "--type", "q4_0"])
      #expect(outcome.status == 1, "\(source) \(output)")
      #expect(outcome.output.isEmpty)
      // On a busy machine lines of progress may come before it.
      let lines = outcome.error.split(separator: "\n")
      #expect(lines.count { $0.hasPrefix("nibble: ") } == 1, "\(outcome.error)")
      #expect(lines.last?.hasPrefix("nibble: ") == true, "\(outcome.error)")
    }
    #expect(try files() == ["model", "notes.txt", "short.gguf"])
  }

  @Test("NaN in the source is named and stops the job")
  func notFinite() throws {
    var model = TinyModel()
    model.change = ("model.layers.1.mlp.up_proj.weight", 2 * 256 + 7, 0x7FC0)
    try model.write(to: folder.path("model"))
    let outcome = try quantize()
    #expect(outcome.status == 1)
    #expect(
      outcome.error.contains(
        "tensor model.layers.1.mlp.up_proj.weight: holds NaN at row 2, column 7"))
    #expect(try files() == ["model"])
  }

  @Test("verify: 0 for what holds, 3 for what does not")
  func verify() throws {
    _ = try quantize(type: "q8_0")
    let good = try CommandRunner.run([
      "verify", folder.path("out.gguf"), "--against", folder.path("model"), "--json",
    ])
    #expect(good.status == 0)
    #expect(try JSONValue.parse(good.output)["verified"] == .bool(true))
    let bad = try CommandRunner.run([
      "verify", folder.path("out.gguf"), "--against", folder.path("model"), "--max-error", "0",
      "--json",
    ])
    #expect(bad.status == 3)
    #expect(try JSONValue.parse(bad.output)["verified"] == .bool(false))
    #expect(bad.error.contains("blk.0.attn_q.weight: relative error"))
  }

  @Test("convert: to a Hugging Face folder and back")
  func convert() throws {
    for (source, output, format) in [
      ("model", "a.gguf", "gguf"), ("a.gguf", "folder", "safetensors"),
      ("folder", "b.gguf", "gguf"),
    ] {
      let outcome = try CommandRunner.run([
        "convert", folder.path(source), "-o", folder.path(output), "--format", format, "--json",
      ])
      #expect(outcome.status == 0, "\(outcome.error)")
      #expect(try JSONValue.parse(outcome.output)["verified"] == .bool(true))
    }
    let same = try CommandRunner.run([
      "verify", folder.path("b.gguf"), "--against", folder.path("model"), "--max-error", "0",
    ])
    #expect(same.status == 0)
    let again = try CommandRunner.run([
      "convert", folder.path("a.gguf"), "-o", folder.path("folder"), "--format", "safetensors",
    ])
    #expect(again.status == 1)
  }

  @Test("A killed or interrupted job leaves no final file, and the next run cleans up")
  func kill() throws {
    var model = TinyModel()
    model.blockCount = 12
    try model.write(to: folder.path("model"))
    for (signal, status) in [(SIGKILL, SIGKILL), (SIGINT, 130), (SIGTERM, 143)] {
      let before = Set(try files())
      let running = try CommandRunner.start([
        "quantize", folder.path("model"), "-o", folder.path("out.gguf"), "--type", "iq4_xs",
        "--threads", "1",
      ])
      // Strike as soon as the temporary file is there.
      while running.process.isRunning, Set(try files()).isSubset(of: before) {
        usleep(200)
      }
      Foundation.kill(running.process.processIdentifier, signal)
      let outcome = try CommandRunner.finish(running)
      if outcome.status == 0, !outcome.wasKilled { continue }
      #expect(outcome.status == status)
      #expect(outcome.wasKilled == (signal == SIGKILL))
      #expect(!FileManager.default.fileExists(atPath: folder.path("out.gguf")))
      if signal != SIGKILL { #expect(try files() == ["model"]) }
    }
    #expect(try quantize(type: "q4_0").status == 0)
    #expect(try files() == ["model", "out.gguf"])
  }

  @Test("Help has an example for each command", arguments: ["quantize", "convert", "verify"])
  func help(_ command: String) throws {
    let outcome = try CommandRunner.run([command, "--help"])
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("nibble \(command) "))
  }
}
