internal import NibbleTensors

/// Round-to-nearest with several threads: the grids that error feedback starts from, and the result to beat.
struct GridStarts {
  private let shape: RowShape
  private let rowCount: Int
  private let pool: WorkerPool

  init(_ shape: RowShape, rowCount: Int, pool: WorkerPool) {
    self.shape = shape
    self.rowCount = rowCount
    self.pool = pool
  }

  private var isBlockType: Bool { GGMLType(scheme: shape.scheme) != nil }

  /// The usual search, blind to the inputs.
  func roundToNearest(
    _ weights: UnsafeBufferPointer<Float>
  ) throws(QuantizationError) -> RowSolutions {
    try run(RoundToNearest(range: isBlockType ? nil : MeanSquaredError()), weights, nil)
  }

  /// Searches that weight each column's error with its mean square input.
  func weighted(
    _ weights: UnsafeBufferPointer<Float>, importance: [Float]
  ) throws(QuantizationError) -> [RowSolutions] {
    var found: [RowSolutions] = []
    for method in methods { found.append(try run(method, weights, importance)) }
    return found
  }

  private var methods: [RoundToNearest] {
    let plain = RoundToNearest(range: MeanSquaredError())
    guard isBlockType else { return [plain] }
    return shape.scheme.hasNestedScales ? [RoundToNearest()] : [RoundToNearest(), plain]
  }

  /// Quantizes runs of rows side by side, or all rows at once where they share something.
  private func run(
    _ method: RoundToNearest, _ weights: UnsafeBufferPointer<Float>, _ importance: [Float]?
  ) throws(QuantizationError) -> RowSolutions {
    let solutions = RowSolutions(shape, rowCount: rowCount)
    let columnCount = shape.columnCount
    let length = shape.scheme.isRowLocal ? 32 : max(rowCount, 1)
    let pieceCount = (rowCount + length - 1) / length
    var faults = [QuantizationError?](repeating: nil, count: pieceCount)
    faults.withUnsafeMutableBufferPointer { faults in
      pool.rows(pieceCount) { pieces in
        for piece in pieces {
          let rows = piece * length..<min((piece + 1) * length, rowCount)
          let part = UnsafeBufferPointer(
            rebasing: weights[rows.lowerBound * columnCount..<rows.upperBound * columnCount])
          do throws(QuantizationError) {
            let tensor = try quantize(method, part, rows.count, importance)
            solutions.store(tensor, at: rows.lowerBound)
            if !shape.scheme.isRowLocal { solutions.fixedScales = tensor.scales }
          } catch {
            faults[piece] = error
          }
        }
      }
    }
    for case let fault? in faults { throw fault }
    return solutions
  }

  private func quantize(
    _ method: RoundToNearest, _ weights: UnsafeBufferPointer<Float>, _ rowCount: Int,
    _ importance: [Float]?
  ) throws(QuantizationError) -> QuantizedTensor {
    guard let importance else {
      return try method.quantize(
        weights, rowCount: rowCount, columnCount: shape.columnCount, as: shape.scheme)
    }
    let result = importance.withUnsafeBufferPointer { factors in
      Result { () throws(QuantizationError) in
        try method.quantize(
          weights, rowCount: rowCount, columnCount: shape.columnCount, importance: factors,
          as: shape.scheme)
      }
    }
    return try result.get()
  }
}
