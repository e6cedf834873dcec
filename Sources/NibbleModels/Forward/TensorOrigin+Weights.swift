internal import NibbleCheckpoints
internal import NibbleQuantization
internal import NibbleTensors

extension TensorOrigin {
  /// The tensor as a matrix, which stays in its file bytes unless these have to be transposed, or arranged for integer
  /// products.
  ///
  /// - Parameters:
  ///   - rowCount: output features.
  ///   - columnCount: input features.
  ///   - pool: the threads that arrange a scheme for integer products; nil keeps its products in float.
  /// - Returns: the matrix.
  /// - Throws: ``ModelError`` that names the tensor.
  func matrix(
    rowCount: Int, columnCount: Int, arrangedBy pool: WorkerPool?
  ) throws -> PackedMatrix {
    do {
      switch type {
      case .plain(let type):
        return try PackedMatrix(
          element: .plain(type), rowCount: rowCount, columnCount: columnCount,
          bytes: order == .same ? records[0].bytes : try rearranged(rowCount, columnCount))
      case .blocks(let type):
        return try PackedMatrix(
          element: .blocks(type), rowCount: rowCount, columnCount: columnCount,
          bytes: records[0].bytes)
      case .scheme:
        let rows = try records[0].schemeRows()
        guard let pool else { return try PackedMatrix(rows) }
        let matrix = try PackedMatrix(arranging: rows, pool: pool)
        // The copy replaces the file's pages in memory.
        if matrix.arrangedByteCount > 0 { records[0].releasePages() }
        return matrix
      }
    } catch {
      throw ModelError(.unsupported, "the tensor \(name) cannot be used: \(error)")
    }
  }

  /// The bytes in the target's order, in memory.
  private func rearranged(_ rowCount: Int, _ columnCount: Int) throws(CheckpointError) -> ByteView {
    let rows = StoredRows(self, columnCount: columnCount)
    var copy: Storage?
    try rows.withBytes(0..<rowCount, Scratch()) { bytes in copy = Storage(copying: Array(bytes)) }
    return copy?.view ?? records[0].bytes
  }

  /// The values of a vector.
  func floats() throws -> [Float] {
    var values = [Float](repeating: 0, count: elementCount)
    do {
      try values.withUnsafeMutableBufferPointer { values throws(CheckpointError) in
        try StoredRows(self, columnCount: values.count).decode(
          0..<1, into: values, Scratch())
      }
    } catch {
      throw ModelError(.unsupported, "the tensor \(name) cannot be used: \(error)")
    }
    guard values.allSatisfy(\.isFinite) else {
      throw ModelError(.malformed, "the tensor \(name) holds NaN or infinity")
    }
    return values
  }
}
