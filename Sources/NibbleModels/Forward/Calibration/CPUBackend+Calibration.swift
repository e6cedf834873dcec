internal import NibbleQuantization
internal import NibbleTensors

extension CPUBackend {
  /// Weights that are expanded to floats at a time.
  private static let panelElementCount = 1 << 22

  /// x Wᵀ + b for many tokens: panels of weights are expanded and multiplied, rounded as statistics may be.
  ///
  /// Panels are fixed by the shapes, so that no bit depends on the number of threads. Matrices whose
  /// products round activations go the way of inference.
  ///
  /// - Parameters:
  ///   - x: `[tokens, input features]`.
  ///   - matrices: the weights, all with the columns of `x`.
  ///   - layers: the layers whose biases are added.
  /// - Returns: for each matrix `[tokens, output features]`.
  func calibrationProduct(
    _ x: Activations, _ matrices: [PackedMatrix], _ layers: [TensorID]
  ) -> [Activations] {
    guard x.rowCount >= 32, matrices.allSatisfy({ $0.activationForm == .floats }) else {
      return product(x, matrices, layers)
    }
    let results = matrices.map { memory.matrix(x.rowCount, $0.rowCount) }
    let panelRowCount = max(64, Self.panelElementCount / x.columnCount)
    for (matrix, result) in zip(matrices, results) {
      for first in stride(from: 0, to: matrix.rowCount, by: panelRowCount) {
        multiply(x, matrix, rows: first..<min(first + panelRowCount, matrix.rowCount), into: result)
      }
    }
    for (layer, result) in zip(layers, results) { addBias(layer, to: result) }
    return results
  }

  /// 1 / mean x² for each row: what square errors of the residual stream `x` count, which norms divide by its size.
  func rowWeights(_ x: Activations) -> [Float] {
    [Float](unsafeUninitializedCapacity: x.rowCount) { weights, count in
      let base = weights.baseAddress
      pool.rows(x.rowCount) { rows in
        for row in rows {
          var sum: Float = 0
          for column in 0..<x.columnCount { sum += x.row(row)[column] * x.row(row)[column] }
          base?[row] = 1 / max(sum / Float(x.columnCount), 1e-12)
        }
      }
      count = x.rowCount
    }
  }

  /// Computes some columns of `y = x Wᵀ`: those of the weights' rows `rows`.
  private func multiply(
    _ x: Activations, _ matrix: PackedMatrix, rows: Range<Int>, into y: Activations
  ) {
    let panel = memory.matrix(rows.count, x.columnCount)
    pool.rows(rows.count) { part in
      for row in part {
        matrix.decodeRow(
          rows.lowerBound + row,
          into: UnsafeMutableBufferPointer(start: panel.row(row), count: x.columnCount))
      }
    }
    MatrixProduct.multiplyRounded(
      x.pointer, count: x.rowCount, panel.pointer, rowCount: rows.count,
      columnCount: x.columnCount, into: y.pointer + rows.lowerBound, yStride: y.columnCount,
      pool: pool)
  }
}
