internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleTensors

extension TensorTask {
  /// Reads the source's values of the output's rows `rows`; the result is valid until `scratch` is used again.
  ///
  /// - Returns: `[rows.count, columnCount]`, row-major.
  func sourceValues(
    _ rows: Range<Int>, _ scratch: Scratch
  ) throws(CheckpointError) -> UnsafeMutableBufferPointer<Float> {
    switch origin {
    case .generated(let floats):
      let values = scratch.values(rows.count * columnCount)
      let first = rows.lowerBound * columnCount
      for index in values.indices { values[index] = floats[first + index] }
      return values
    case .stored(let origin):
      let values = try StoredRows(origin, columnCount: columnCount).values(rows, scratch)
      factors?.apply(to: values, rows, columnCount)
      return values
    }
  }

  /// Calls `body` with the source's bytes of the output's rows `rows`, in the output's order.
  ///
  /// Rows that stand together in a mapped file are not copied; others are gathered in `scratch`.
  func withSourceBytes(
    _ rows: Range<Int>, _ scratch: Scratch,
    _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    guard case .stored(let origin) = origin else { return }
    try StoredRows(origin, columnCount: columnCount).withBytes(rows, scratch, body)
  }

  /// Lets the system drop the source's pages of `rows`, where they stand together.
  func releaseSource(_ rows: Range<Int>) {
    guard case .stored(let origin) = origin else { return }
    StoredRows(origin, columnCount: columnCount).release(rows)
  }

  /// Lets the system drop all of the source's pages.
  func releaseSource() {
    if case .stored(let origin) = origin { origin.releasePages() }
  }

  /// Checks that `values`, the output's rows from `firstRow` on, hold neither NaN nor infinity.
  ///
  /// - Throws: ``CheckpointError/Code/invalidValue`` that names the source's tensor, row and column.
  func requireFinite(
    _ values: UnsafeMutableBufferPointer<Float>, firstRow: Int
  ) throws(CheckpointError) {
    guard let index = firstNonFinite(values) else { return }
    let (row, column) = index.quotientAndRemainder(dividingBy: columnCount)
    var place = (name: name, row: firstRow + row, column: column)
    if case .stored(let origin) = origin {
      place = StoredRows(origin, columnCount: columnCount).place(
        row: firstRow + row, column: column)
    }
    let kind = values[index].isNaN ? "NaN" : "infinity"
    let position =
      shape.count < 2
      ? "at element \(columnCount == 1 ? place.row : place.column)"
      : "at row \(place.row), column \(place.column)"
    throw CheckpointError(.invalidValue, "holds \(kind) \(position)", tensor: place.name)
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
