import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct ImportanceSearchTests {
  private let columnCount = 256
  private let weights = TestWeights.gaussian(count: 6 * 256, seed: 6)
  private let importance = (0..<256).map { (index: Int) -> Float in
    index % 7 == 0 ? 20 : Float(1 + index % 3)
  }

  /// The weighted error is not above that of the search without importance, nor of the block search with it.
  @Test(arguments: feedbackSchemes)
  func neverWorse(scheme: Scheme) throws {
    let (tensor, report) = try search(scheme, threadCount: 2)
    let found = relativeSquareError(weights, tensor.dequantized(), importance: importance)
    let isBlock = GGMLType(scheme: scheme) != nil
    for factors in [nil, importance] where isBlock || factors == nil {
      let tensor = try weights.withUnsafeBufferPointer { weights in
        let method = RoundToNearest(range: isBlock ? nil : MeanSquaredError())
        guard let factors else {
          return try method.quantize(weights, rowCount: 6, columnCount: columnCount, as: scheme)
        }
        return try factors.withUnsafeBufferPointer {
          try method.quantize(
            weights, rowCount: 6, columnCount: columnCount, importance: $0, as: scheme)
        }
      }
      let other = relativeSquareError(weights, tensor.dequantized(), importance: importance)
      #expect(found <= other * 1.00001, "\(scheme): \(found / other)")
    }
    #expect(report.ratio <= 1)
    #expect(try search(scheme, threadCount: 3).0 == tensor)
    if isBlock {
      let parts = try GGMLBlocks().pack(tensor)
      #expect(
        try GGMLBlocks().unpack(parts, rowCount: 6, columnCount: columnCount, scheme: scheme)
          == tensor)
    }
  }

  @Test func hostileImportance() throws {
    let scheme = try #require(GGMLType.q4_0.scheme)
    for factors in [[Float](repeating: 1, count: 3), [.nan] + importance.dropFirst()] {
      #expect(throws: QuantizationError.self) {
        try weights.withUnsafeBufferPointer {
          try ImportanceSearch().quantize(
            $0, rowCount: 6, columnCount: columnCount, as: scheme, importance: factors,
            pool: WorkerPool(threadCount: 1))
        }
      }
    }
  }

  private func search(
    _ scheme: Scheme, threadCount: Int
  ) throws -> (QuantizedTensor, LayerReport) {
    try weights.withUnsafeBufferPointer {
      try ImportanceSearch().quantize(
        $0, rowCount: 6, columnCount: columnCount, as: scheme, importance: importance,
        pool: WorkerPool(threadCount: threadCount))
    }
  }
}
