package import NibbleCheckpoints
internal import NibbleQuantization
package import NibbleTensors

/// The rows of one stored tensor, in the order that a target naming wants: the one way from file bytes to floats, whatever
/// the type.
package struct StoredRows: Sendable {
  package let record: TensorRecord
  /// The order of the rows that are handed out.
  package let order: RowOrder
  /// Elements of one row.
  package let columnCount: Int
  /// Rows over all dimensions but the last.
  package let rowCount: Int

  /// - Parameters:
  ///   - record: the tensor.
  ///   - order: the order of the rows that are handed out.
  ///   - columnCount: elements of a row; 1 where each element of a vector of plain numbers counts as a row, which lets
  ///     them change their order.
  /// - Precondition: a row is a whole number of the type's blocks.
  package init(_ record: TensorRecord, _ order: RowOrder, columnCount: Int) {
    self.record = record
    self.order = order
    self.columnCount = columnCount
    rowCount = columnCount == 0 ? 0 : record.elementCount / columnCount
  }

  /// The rows as they stand in the file.
  package init(_ record: TensorRecord) {
    self.init(record, .same, columnCount: record.columnCount)
  }

  /// Whether the values are numbers that ``values(_:_:)`` turns into floats.
  package var canDecode: Bool { RowCodec.canDecode(record.type) }

  /// Bytes of one row.
  package var rowByteCount: Int {
    switch record.type {
    case .plain(let type): columnCount * type.bitCount / 8
    case .blocks(let type): type.rowByteCount(columnCount: columnCount) ?? 0
    case .scheme(let scheme):
      ((try? scheme.parts(rowCount: rowCount, columnCount: columnCount)) ?? [])
        .reduce(0) { $0 + $1.rowByteCount }
    }
  }

  /// Decodes rows; the result is valid until `scratch` is used again.
  ///
  /// - Returns: `[rows.count, columnCount]`, row-major.
  package func values(
    _ rows: Range<Int>, _ scratch: Scratch
  ) throws(CheckpointError) -> UnsafeMutableBufferPointer<Float> {
    let values = scratch.values(rows.count * columnCount)
    try decode(rows, into: values, scratch)
    return values
  }

  /// Decodes rows into `values`, `[rows.count, columnCount]`, row-major.
  package func decode(
    _ rows: Range<Int>, into values: UnsafeMutableBufferPointer<Float>, _ scratch: Scratch
  ) throws(CheckpointError) {
    if case .scheme = record.type {
      let stored = try record.schemeRows()
      guard let target = values.baseAddress else { return }
      for (index, row) in rows.enumerated() {
        let first = order.sourceRow(row)
        stored.decode(first..<first + 1, into: target + index * columnCount)
      }
      return
    }
    do {
      try withBytes(rows, scratch) { (bytes) throws(CheckpointError) in
        try RowCodec.decode(record.type, bytes, into: values)
      }
    } catch {
      throw error.ofTensor(record.name)
    }
  }

  /// Calls `body` with the bytes of rows of a tensor of one part.
  ///
  /// Rows that stand together in a mapped file are not copied; others are gathered in `scratch`.
  package func withBytes(
    _ rows: Range<Int>, _ scratch: Scratch,
    _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    let rowByteCount = rowByteCount
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

  /// Lets the system drop the pages of `rows`, where they stand together.
  package func release(_ rows: Range<Int>) {
    guard order == .same, record.parts.count == 1 else { return }
    record.bytes[rows.lowerBound * rowByteCount..<rows.upperBound * rowByteCount].releasePages()
  }

  /// Lets the system drop all pages.
  package func release() { record.releasePages() }
}
