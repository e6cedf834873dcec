extension QuantizedTensor {
  /// The tensor with its rows in another order.
  ///
  /// - Parameter sourceRow: the row that becomes row `i`; each row once.
  /// - Returns: the same codes and scales, row by row.
  /// - Throws: ``QuantizationError`` where rows share scales, so that they cannot change places.
  public func movingRows(
    _ sourceRow: (Int) -> Int
  ) throws(QuantizationError) -> QuantizedTensor {
    guard scheme.isRowLocal else {
      throw QuantizationError(.unsupported, "rows of \(scheme) share scales and cannot be moved")
    }
    let rows = (0..<rowCount).map(sourceRow)
    return try QuantizedTensor(
      rowCount: rowCount, columnCount: columnCount, scheme: scheme, codes: codes.takingRows(rows),
      scales: scales.takingRows(rows), offsets: offsets?.takingRows(rows),
      zeroPoints: zeroPoints?.takingRows(rows), columnOrder: columnOrder)
  }
}

extension ScaleTree {
  /// The scales of rows in another order; each row has as many.
  fileprivate func takingRows(_ rows: [Int]) -> ScaleTree {
    switch self {
    case .float32(let values): .float32(values.takingRows(rows))
    case .float16(let bits): .float16(bits.takingRows(rows))
    case .bfloat16(let bits): .bfloat16(bits.takingRows(rows))
    case .e8m0(let codes): .e8m0(codes.takingRows(rows))
    case .integer(let codes, let bits, let isSigned, let parent):
      .integer(
        codes: codes.takingRows(rows), bits: bits, isSigned: isSigned,
        parent: parent.takingRows(rows))
    case .e4m3, .doubleQuantized: self
    }
  }
}

extension Array {
  fileprivate func takingRows(_ rows: [Int]) -> [Element] {
    let length = count / Swift.max(rows.count, 1)
    var taken: [Element] = []
    taken.reserveCapacity(count)
    for row in rows { taken += self[row * length..<(row + 1) * length] }
    return taken
  }
}
