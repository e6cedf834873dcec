internal import NibbleTensors

/// Round-to-nearest over pieces of rows side by side, for searches that round the same layer often.
struct RowRounding {
  let method: RoundToNearest
  let scheme: Scheme
  let columnCount: Int
  let pool: WorkerPool
  /// A factor for each column's square error, where the method's search takes one.
  var importance: [Float]?

  /// Rows that are rounded at a time.
  static let pieceRowCount = 32

  /// The values that the codes of `weights`, `[rows, columnCount]`, stand for.
  ///
  /// - Throws: ``QuantizationError`` when the scheme does not fit the rows, or a value does not fit the scheme.
  func decoded(_ weights: [Float]) throws(QuantizationError) -> [Float] {
    let rowCount = columnCount > 0 ? weights.count / columnCount : 0
    var decoded = [Float](repeating: 0, count: weights.count)
    let length = scheme.isRowLocal ? Self.pieceRowCount : max(rowCount, 1)
    try decoded.withUnsafeMutableBufferPointer { decoded throws(QuantizationError) in
      try pieces(rowCount, length) { (rows) throws(QuantizationError) in
        let part = Array(weights[rows.lowerBound * columnCount..<rows.upperBound * columnCount])
        let values = try rounded(part).dequantized()
        for (index, value) in values.enumerated() {
          decoded[rows.lowerBound * columnCount + index] = value
        }
      }
    }
    return decoded
  }

  /// Codes and scales of `weights`, `[rows, columnCount]`.
  func rounded(_ weights: [Float]) throws(QuantizationError) -> QuantizedTensor {
    let result = weights.withUnsafeBufferPointer { weights in
      Result { () throws(QuantizationError) in
        let rowCount = columnCount > 0 ? weights.count / columnCount : 0
        guard let importance else {
          return try method.quantize(
            weights, rowCount: rowCount, columnCount: columnCount, as: scheme)
        }
        let result = importance.withUnsafeBufferPointer { importance in
          Result { () throws(QuantizationError) in
            try method.quantize(
              weights, rowCount: rowCount, columnCount: columnCount, importance: importance,
              as: scheme)
          }
        }
        return try result.get()
      }
    }
    return try result.get()
  }

  /// Calls `body` for all pieces of `length` rows, with several threads.
  ///
  /// - Throws: the error of the first piece that failed.
  func pieces(
    _ rowCount: Int, _ length: Int, _ body: (Range<Int>) throws(QuantizationError) -> Void
  ) throws(QuantizationError) {
    let count = (rowCount + length - 1) / length
    var faults = [QuantizationError?](repeating: nil, count: count)
    faults.withUnsafeMutableBufferPointer { faults in
      pool.rows(count) { pieces in
        for piece in pieces {
          do throws(QuantizationError) {
            try body(piece * length..<min((piece + 1) * length, rowCount))
          } catch {
            faults[piece] = error
          }
        }
      }
    }
    for case let fault? in faults { throw fault }
  }
}
