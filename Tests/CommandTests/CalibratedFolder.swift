import Foundation
import TestSupport

/// A model of one block, a text that it can read, and the command that quantizes the one with the other.
struct CalibratedFolder {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Writes `model`, of one block, and the text.
  func write(_ model: TinyModel) throws {
    var model = model
    model.blockCount = 1
    try model.write(to: path("model"))
    let words = (0..<300).map { "word \($0 * 7919 % 1000) and the rest, " }.joined()
    try Data(words.utf8).write(to: URL(filePath: path("text.txt")))
  }

  func path(_ name: String) -> String { folder.path(name) }

  func quantize(_ arguments: [String]) throws -> CommandRunner.Outcome {
    try CommandRunner.run(
      [
        "quantize", path("model"), "-o", path("out"), "--calibration", path("text.txt"),
        "--calibration-windows", "4", "--calibration-context", "64",
      ] + arguments)
  }
}
