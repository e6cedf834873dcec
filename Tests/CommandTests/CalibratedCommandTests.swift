import Foundation
import Nibble
import TestSupport
import Testing

@Suite("nibble quantize with text", .serialized)
struct CalibratedCommandTests {
  let folder: CalibratedFolder

  init() throws {
    folder = try CalibratedFolder()
    try folder.write(TinyModel())
  }

  private func quantize(_ arguments: String...) throws -> CommandRunner.Outcome {
    try folder.quantize(arguments)
  }

  @Test("Groups in the order of importance are written, verified, run and decoded")
  func groupOrder() throws {
    let made = try quantize("--type", "int4-g32-sym", "--act-order", "group", "--json")
    #expect(made.status == 0, "\(made.error)")
    #expect(try JSONValue.parse(made.output)["verified"] == .bool(true))
    let seen = try CommandRunner.run(["inspect", folder.path("out"), "--json"])
    #expect(seen.output.contains("int4-g32-sym-act"))
    let spoken = try CommandRunner.run([
      "generate", folder.path("out"), "--prompt", "a", "--max-tokens", "3", "--quiet",
    ])
    #expect(spoken.status == 0, "\(spoken.error)")
    let decoded = try CommandRunner.run([
      "convert", folder.path("out"), "-o", folder.path("floats"), "--format", "safetensors",
    ])
    #expect(decoded.status == 0, "\(decoded.error)")
    let compared = try CommandRunner.run([
      "compare", folder.path("floats"), "--against", folder.path("out"), "--json",
    ])
    #expect(compared.status == 0, "\(compared.error)")
  }

  @Test("The order of the sweep changes codes, not their arrangement")
  func sweepOrder() throws {
    for order in ["static", "none"] {
      let made = try quantize("--type", "q4_0", "--act-order", order, "--force")
      #expect(made.status == 0, "\(made.error)")
      try FileManager.default.moveItem(
        atPath: folder.path("out"), toPath: folder.path(order + ".gguf"))
    }
    let (one, other) = (
      FileManager.default.contents(atPath: folder.path("static.gguf")),
      FileManager.default.contents(atPath: folder.path("none.gguf"))
    )
    #expect(one?.count == other?.count)
    #expect(one != other)
  }

  @Test("An order of groups needs groups, and a text")
  func refusals() throws {
    for arguments in [
      ["--type", "q4_k_m", "--act-order", "group"],
      ["--type", "int8-row-sym", "--act-order", "group"],
      ["--type", "int4-g32-sym-act", "--method", "rtn"],
      ["--type", "int4-g32-sym", "--act-order", "sideways"],
    ] {
      let outcome = try CommandRunner.run(
        ["quantize", folder.path("model"), "-o", folder.path("out")] + arguments)
      #expect(outcome.status == 2, "\(arguments) \(outcome.error)")
      #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
    }
  }

  @Test("A log holds a line for each layer, and those of an earlier run stay")
  func log() throws {
    let path = folder.path("log.jsonl")
    for round in 1...2 {
      let made = try quantize("--type", "q8_0", "--log", path, "--force", "--effort", "fast")
      #expect(made.status == 0, "\(made.error)")
      let text = try String(contentsOfFile: path, encoding: .utf8)
      let lines = try text.split(separator: "\n").map { try JSONValue.parse(String($0)) }
      #expect(lines.count == round * 9)
      let events = lines.suffix(9).map { $0["event"]?.string }
      #expect(events == ["start"] + [String](repeating: "layer", count: 7) + ["end"])
      let layer = lines[1]
      for key in ["time", "name", "tokens", "objective_before", "objective_after", "seconds"] {
        #expect(layer[key] != nil, "\(key)")
      }
      #expect(layer["tokens"]?.integer == 256)
      #expect(lines.last?["verified"] == .bool(true))
    }
    let refused = try quantize("--type", "q8_0", "--log", "/nothing/here/log", "--force")
    #expect(refused.status == 1)
    #expect(refused.error.contains("/nothing/here/log"))
  }
}
