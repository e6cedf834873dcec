import Foundation
import Nibble
import TestSupport
import Testing

@Suite("nibble quantize with transforms", .serialized)
struct TransformCommandTests {
  let folder: CalibratedFolder

  init() throws { folder = try CalibratedFolder() }

  private func writeModel() throws {
    var model = TinyModel()
    model.hiddenCount = 64
    model.feedForwardCount = 256
    try folder.write(model)
  }

  private func quantize(_ arguments: String...) throws -> CommandRunner.Outcome {
    try folder.quantize(arguments)
  }

  @Test("One command scales, feeds errors back and writes a K mix that runs")
  func kMix() throws {
    try writeModel()
    let made = try quantize(
      "--transform", "awq", "--method", "gptq", "--effort", "fast", "--type", "q4_k_m", "--json")
    #expect(made.status == 0, "\(made.error)")
    let report = try JSONValue.parse(made.output)
    #expect(report["verified"] == .bool(true))
    let groups = try #require(report["scaling"]?["groups"]?.array)
    #expect(groups.count == 4)
    for key in ["producer", "expert", "ratio", "loss_before", "loss_after"] {
      #expect(groups[0][key] != nil, "\(key)")
    }
    #expect(report["calibration"]?["layers"]?.array?.count == 7)
    let spoken = try CommandRunner.run([
      "generate", folder.path("out"), "--prompt", "a", "--max-tokens", "3", "--quiet",
    ])
    #expect(spoken.status == 0, "\(spoken.error)")
  }

  @Test("--method awq scales and cuts, and tells people what it gained")
  func method() throws {
    try writeModel()
    let made = try quantize(
      "--method", "awq", "--type", "int4-g128-asym", "--format", "safetensors")
    #expect(made.status == 0, "\(made.error)")
    #expect(made.output.contains("scaled against"))
    #expect(made.output.contains("channels scaled, loss"))
    #expect(made.output.contains("norm, kept in F32; scaled"))
    #expect(made.error.contains("note: channels were scaled"))
  }

  @Test(
    "What makes no sense ends with 2, says why and writes nothing",
    arguments: [
      ["--clip", "--type", "q4_k_m"], ["--clip", "--method", "gptq", "--type", "q4_0"],
      ["--transform", "awq", "--type", "bf16"], ["--transform", "twist", "--type", "q4_0"],
      ["--method", "awq", "--range", "mse", "--type", "int4-g64-asym"],
      ["--clip", "--type", "kmeans3-row"],
    ])
  func refusals(_ arguments: [String]) throws {
    try writeModel()
    let outcome = try CommandRunner.run(
      ["quantize", folder.path("model"), "-o", folder.path("out")] + arguments)
    #expect(outcome.status == 2, "\(outcome.error)")
    #expect(outcome.output.isEmpty)
    #expect(
      outcome.error.contains("clip") || outcome.error.contains("transform")
        || outcome.error.contains("range"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
  }
}
