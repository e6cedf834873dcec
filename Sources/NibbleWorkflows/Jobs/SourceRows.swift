internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleQuantization
internal import NibbleTensors

extension TensorTask {
  /// Reads the source's values of the output's rows `rows`; the result is valid until `scratch` is used again.
  ///
  /// - Returns: `[rows.count, columnCount]`, row-major.
  func sourceValues(
    _ rows: Range<Int>, _ scratch: Scratch
  ) throws(CheckpointError) -> UnsafeMutableBufferPointer<Float> {
    let values = scratch.values(rows.count * columnCount)
    switch origin {
    case .generated(let floats):
      let first = rows.lowerBound * columnCount
      for index in values.indices { values[index] = floats[first + index] }
    case .stored(let record, let order):
      if case .scheme = record.type {
        let source = try record.schemeRows()
        guard let target = values.baseAddress else { return values }
        for (index, row) in rows.enumerated() {
          let first = order.sourceRow(row)
          source.decode(first..<first + 1, into: target + index * columnCount)
        }
        return values
      }
      do {
        try withSourceBytes(rows, scratch) { (bytes) throws(CheckpointError) in
          try RowCodec.decode(record.type, bytes, into: values)
        }
      } catch {
        throw error.ofTensor(record.name)
      }
    }
    return values
  }

  /// Calls `body` with the source's bytes of the output's rows `rows`, in the output's order.
  ///
  /// Rows that stand together in a mapped file are not copied; others are gathered in `scratch`.
  func withSourceBytes(
    _ rows: Range<Int>, _ scratch: Scratch,
    _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    guard case .stored(let record, let order) = origin else { return }
    let rowByteCount = sourceRowByteCount
    try record.bytes.withUnsafeBytes { (bytes) throws(CheckpointError) in
      if order == .same {
        let range = rows.lowerBound * rowByteCount..<rows.upperBound * rowByteCount
        return try body(UnsafeRawBufferPointer(rebasing: bytes[range]))
      }
      let gathered = scratch.sourceBytes(rows.count * rowByteCount)
      for (index, row) in rows.enumerated() {
        let first = order.sourceRow(row) * rowByteCount
        UnsafeMutableRawBufferPointer(rebasing: gathered[(index * rowByteCount)...])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[first..<first + rowByteCount]))
      }
      try body(UnsafeRawBufferPointer(gathered))
    }
  }

  /// Lets the system drop the source's pages of `rows`, where they stand together.
  func releaseSource(_ rows: Range<Int>) {
    guard case .stored(let record, .same) = origin, record.parts.count == 1 else { return }
    let rowByteCount = sourceRowByteCount
    record.bytes[rows.lowerBound * rowByteCount..<rows.upperBound * rowByteCount].releasePages()
  }

  /// Lets the system drop all of the source's pages.
  func releaseSource() {
    if case .stored(let record, _) = origin { record.releasePages() }
  }

  /// Checks that `values`, the output's rows from `firstRow` on, hold neither NaN nor infinity.
  ///
  /// - Throws: ``CheckpointError/Code/invalidValue`` that names the source's tensor, row and column.
  func requireFinite(
    _ values: UnsafeMutableBufferPointer<Float>, firstRow: Int
  ) throws(CheckpointError) {
    guard let index = firstNonFinite(values) else { return }
    let (row, column) = index.quotientAndRemainder(dividingBy: columnCount)
    var name = self.name
    var sourceRow = firstRow + row
    if case .stored(let record, let order) = origin {
      name = record.name
      sourceRow = order.sourceRow(sourceRow)
    }
    let kind = values[index].isNaN ? "NaN" : "infinity"
    let place =
      shape.count < 2
      ? "at element \(columnCount == 1 ? sourceRow : column)"
      : "at row \(sourceRow), column \(column)"
    throw CheckpointError(.invalidValue, "holds \(kind) \(place)", tensor: name)
  }
}

extension CheckpointError {
  /// The same error with `tensor` filled in where it was unknown.
  func ofTensor(_ name: String) -> CheckpointError {
    var error = self
    if error.tensor == nil { error.tensor = name }
    return error
  }
}

/// The index of the first NaN or infinity.
func firstNonFinite(_ values: UnsafeMutableBufferPointer<Float>) -> Int? {
  // The sum reaches the sign bit exactly when the exponent is all ones; the loop compiles to vectors.
  var found: UInt32 = 0
  for value in values { found |= (value.bitPattern & 0x7FFF_FFFF) &+ 0x0080_0000 }
  guard found >> 31 != 0 else { return nil }
  return values.firstIndex { !$0.isFinite }
}
