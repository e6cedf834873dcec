import Foundation
import Nibble
import TestSupport
import Testing

@Suite("nibble quantize and convert --recover-grid", .serialized)
struct GridCommandTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try TinyModel().write(to: folder.path("model"))
  }

  private func run(_ command: String, _ source: String, _ output: String, _ rest: String...) throws
    -> CommandRunner.Outcome
  {
    try CommandRunner.run([command, folder.path(source), "-o", folder.path(output)] + rest)
  }

  private func values(_ name: String) throws -> [String: [Float]] {
    var values: [String: [Float]] = [:]
    for record in try Checkpoint.open(folder.path(name)).tensors where record.type.isQuantized {
      values[record.name] = try record.quantizedTensor().dequantized()
    }
    return values
  }

  @Test("To codes, to floats, and to the same codes")
  func around() throws {
    #expect(try run("quantize", "model", "first.gguf", "--type", "q4_0", "--pure").status == 0)
    let decoded = try run(
      "convert", "first.gguf", "floats.gguf", "--format", "gguf", "--type", "f32")
    #expect(decoded.status == 0, "\(decoded.error)")
    let again = try run(
      "quantize", "floats.gguf", "second.gguf", "--type", "q4_0", "--pure", "--recover-grid")
    #expect(again.status == 0, "\(again.error)")
    #expect(again.output.contains("recovered exactly"))
    #expect(try values("second.gguf") == values("first.gguf"))
    let planned = try run(
      "convert", "floats.gguf", "third", "--format", "nibble", "--recover-grid", "--grid", "q4_0",
      "--dry-run")
    #expect(planned.status == 0, "\(planned.error)")
    #expect(planned.output.contains("recovered exactly"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("third")))
  }

  @Test("Bad combinations end with 2 and write nothing")
  func badUsage() throws {
    let runs = [
      try run("convert", "model", "out", "--format", "safetensors", "--recover-grid"),
      try run("convert", "model", "out", "--format", "nibble", "--grid", "q4_0"),
      try run(
        "quantize", "model", "out", "--type", "int4-g64-sym", "--recover-grid", "--transform", "awq"
      ),
    ]
    for outcome in runs { #expect(outcome.status == 2, "\(outcome.error)") }
    #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
  }
}
