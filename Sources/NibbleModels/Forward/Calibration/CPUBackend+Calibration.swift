internal import NibbleQuantization
internal import NibbleTensors

extension CPUBackend {
  /// Weight rows that are expanded to floats and multiplied together.
  private static let panelRowCount = 192

  /// x Wᵀ + b for many tokens, in single precision: panels of weights are expanded and multiplied by the system's library.
  ///
  /// Panels are fixed rows of each matrix, so that no bit depends on the number of threads. Matrices whose products round
  /// activations go the way of inference.
  ///
  /// - Parameters:
  ///   - x: `[tokens, input features]`.
  ///   - matrices: the weights, all with the columns of `x`.
  ///   - layers: the layers whose biases are added.
  /// - Returns: for each matrix `[tokens, output features]`.
  func calibrationProduct(
    _ x: Activations, _ matrices: [PackedMatrix], _ layers: [TensorID]
  ) -> [Activations] {
    guard x.rowCount >= 32, matrices.allSatisfy({ !$0.roundsActivations }) else {
      return product(x, matrices, layers)
    }
    let results = matrices.map { memory.matrix(x.rowCount, $0.rowCount) }
    let panels = matrices.indices.flatMap { index in
      stride(from: 0, to: matrices[index].rowCount, by: Self.panelRowCount).map {
        (index, $0..<min($0 + Self.panelRowCount, matrices[index].rowCount))
      }
    }
    let columnCount = x.columnCount
    pool.rows(panels.count) { part in
      let scratch = UnsafeMutablePointer<Float>.allocate(
        capacity: Self.panelRowCount * columnCount)
      defer { scratch.deallocate() }
      for panel in part {
        let (index, rows) = panels[panel]
        for row in rows {
          let target = scratch + (row - rows.lowerBound) * columnCount
          matrices[index].decodeRow(
            row, into: UnsafeMutableBufferPointer(start: target, count: columnCount))
        }
        MatrixProduct.multiplyByLibrary(
          x.pointer, count: x.rowCount, scratch, rowCount: rows.count, columnCount: columnCount,
          into: results[index].pointer + rows.lowerBound, yStride: results[index].columnCount)
      }
    }
    for (layer, result) in zip(layers, results) { addBias(layer, to: result) }
    return results
  }
}
