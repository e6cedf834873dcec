import Foundation
import Nibble
import TestSupport
import Testing

@Suite("nibble calibrate")
struct CalibrateCommandTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try TinyModel().write(to: folder.path("model"))
  }

  @Test("Writes an importance matrix and tells about it in JSON")
  func calibrates() throws {
    let text = folder.path("text.txt")
    try Data(String(repeating: "hello there, how are you? ", count: 40).utf8)
      .write(to: URL(filePath: text))
    let output = folder.path("importance.gguf")
    let run = try CommandRunner.run([
      "calibrate", folder.path("model"), "--text", text, "-o", output, "--windows", "4",
      "--context", "64", "--seed", "1", "--max-memory", "0", "--json", "--quiet",
    ])
    #expect(run.status == 0, "\(run.error)")
    let json = try JSONValue.parse(run.output)
    #expect(json["tokens"]?.integer == 256 && json["windows"]?.integer == 4)
    #expect(json["tensors"]?.integer == 14 && (json["spilled_bytes"]?.integer ?? 0) > 0)
    #expect(try ImportanceMatrix.read(output).entries.count == 14)
  }

  @Test("Without a text it uses its own, and says so")
  func builtInText() throws {
    let run = try CommandRunner.run([
      "calibrate", folder.path("model"), "-o", folder.path("i.gguf"), "--context", "64",
    ])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.error.contains("no text was given"))
    #expect(run.output.contains("importance of 14 layers"))
  }

  @Test(
    "Bad usage ends with 2, work that failed with 1",
    arguments: [
      (["--windows", "0"], 2), (["--context", "1"], 2), (["--context", "4096"], 1),
      (["--text", "/nothing/here"], 1), (["--max-memory", "-1"], 2),
    ] as [([String], Int32)])
  func refusals(_ arguments: [String], _ status: Int32) throws {
    let run = try CommandRunner.run(
      ["calibrate", folder.path("model"), "-o", folder.path("i.gguf")] + arguments)
    #expect(run.status == status, "\(run.error)")
    #expect(!FileManager.default.fileExists(atPath: folder.path("i.gguf")))
  }
}
