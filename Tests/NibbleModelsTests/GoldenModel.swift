import Foundation
import NibbleModels
import TestSupport

/// The tiny models that transformers made, and the logits that it computed (scripts/fixtures/models.py).
enum GoldenModel {
  /// The names of all folders.
  static let names: [String] = {
    let folder = Fixtures.path("models")
    return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
      .filter { FileManager.default.fileExists(atPath: "\(folder)/\($0)/logits.json") }.sorted()
  }()

  /// A prompt and its logits.
  struct Case: Decodable {
    struct Row: Decodable {
      let position: Int
      let logits: [Float]
    }

    let prompt: [Int]
    /// Those after the last token.
    let logits: [Float]
    /// Those after some tokens before.
    let between: [Row]?

    /// All rows: the position and its logits.
    var rows: [(Int, [Float])] {
      (between ?? []).map { ($0.position, $0.logits) } + [(prompt.count - 1, logits)]
    }
  }

  private struct Golden: Decodable {
    let cases: [Case]
  }

  static func cases(_ name: String) throws -> [Case] {
    let data = try Data(contentsOf: URL(filePath: Fixtures.path("models/\(name)/logits.json")))
    return try JSONDecoder().decode(Golden.self, from: data).cases
  }

  /// The largest difference, relative to the largest logit.
  static func difference(_ logits: Activations, row: Int, _ expected: [Float]) -> Float {
    logits.withRow(row) { values in
      let scale = expected.map(abs).max() ?? 1
      return zip(values, expected).map { abs($0 - $1) / scale }.max() ?? .infinity
    }
  }
}
