import Foundation
import NibbleQuantization
import NibbleTensors
import TestSupport

/// A layer whose inputs have some large channels, and what numpy makes of it (scripts/fixtures/transforms.py).
struct TransformFixture: Decodable {
  struct Ratio: Decodable {
    let ratio: Double
    let scales: [Float]
  }

  struct Case: Decodable {
    let scheme: String
    /// The output error for each ratio of the grid.
    let losses: [Double]
    /// The values after the extremes of groups were cut, `[rows, columns]`.
    let clipped: [Float]
  }

  let rows: Int
  let columns: Int
  let weights: [Float]
  let magnitudes: [Double]
  let hessian: [Float]
  let ratios: [Ratio]
  let cases: [Case]

  static func read() throws -> TransformFixture {
    let url = URL(filePath: Fixtures.path("transforms/awq.json"))
    return try JSONDecoder().decode(TransformFixture.self, from: Data(contentsOf: url))
  }

  func statistics() throws -> LayerStatistics {
    try LayerStatistics(columnCount: columns, tokenCount: 200, hessian: hessian)
  }

  func clip(
    _ search: ClipSearch, as scheme: Scheme, threadCount: Int = 2
  ) throws -> (QuantizedTensor, LayerReport) {
    try weights.withUnsafeBufferPointer {
      try search.quantize(
        $0, rowCount: rows, columnCount: columns, as: scheme, statistics: statistics(),
        pool: WorkerPool(threadCount: threadCount))
    }
  }
}
