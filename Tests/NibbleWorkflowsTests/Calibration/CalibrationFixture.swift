import Foundation
import Nibble
import TestSupport

/// What torch measured of the tiny models (scripts/fixtures/calibration.py).
struct CalibrationFixture: Decodable, Sendable, CustomStringConvertible {
  struct Layer: Decodable, Sendable {
    /// The weight's name in GGUF files.
    let name: String
    /// Tokens that each layer of a stack saw.
    let counts: [Int]
    /// For each layer, the means of x².
    let squares: [[Double]]
    /// For each layer, the means of x · x[0].
    let firstRows: [[Double]]
  }

  let model: String
  let windows: [[Int]]
  let layers: [Layer]

  static let all: [CalibrationFixture] = {
    let url = URL(filePath: Fixtures.path("calibration/importance.json"))
    return (try? JSONDecoder().decode([CalibrationFixture].self, from: Data(contentsOf: url))) ?? []
  }()

  var description: String { model }
  var path: String { Fixtures.path("models/\(model)") }
}
