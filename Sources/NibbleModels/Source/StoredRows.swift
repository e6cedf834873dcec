package import NibbleCheckpoints
internal import NibbleQuantization
package import NibbleTensors

/// The rows of a tensor as a target wants them: the one way from file bytes to floats, whatever the type.
package struct StoredRows: Sendable {
  package let origin: TensorOrigin
  /// Elements of one row.
  package let columnCount: Int
  /// Rows over all dimensions but the last.
  package let rowCount: Int
  /// Rows that each stored tensor gives.
  private let recordRowCount: Int

  /// - Parameters:
  ///   - origin: the tensor.
  ///   - columnCount: elements of a row; 1 where each element of a vector of plain numbers counts as a row, which lets
  ///     them change their order.
  /// - Precondition: a row is a whole number of the type's blocks.
  package init(_ origin: TensorOrigin, columnCount: Int) {
    self.origin = origin
    self.columnCount = columnCount
    recordRowCount = columnCount == 0 ? 0 : origin.records[0].elementCount / columnCount
    rowCount = recordRowCount * origin.records.count
  }

  /// The rows of a stored tensor as they stand in the file.
  package init(_ record: TensorRecord) {
    self.init(TensorOrigin(record), columnCount: record.columnCount)
  }

  /// Whether the values are numbers that ``values(_:_:)`` turns into floats.
  package var canDecode: Bool { RowCodec.canDecode(origin.type) }

  /// Bytes of one row.
  package var rowByteCount: Int {
    switch origin.type {
    case .plain(let type): columnCount * type.bitCount / 8
    case .blocks(let type): type.rowByteCount(columnCount: columnCount) ?? 0
    case .scheme(let scheme):
      ((try? scheme.parts(rowCount: recordRowCount, columnCount: columnCount)) ?? [])
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
    if case .scheme = origin.type {
      for (record, part, first) in spans(rows) {
        let stored = try record.schemeRows()
        guard let target = values.baseAddress else { return }
        for (index, row) in part.enumerated() {
          let source = origin.order.sourceRow(row)
          stored.decode(source..<source + 1, into: target + (first + index) * columnCount)
        }
      }
    } else {
      do {
        try withBytes(rows, scratch) { (bytes) throws(CheckpointError) in
          try RowCodec.decode(origin.type, bytes, into: values)
        }
      } catch {
        throw error.ofTensor(origin.name)
      }
    }
    if origin.offset != 0 {
      for index in 0..<rows.count * columnCount { values[index] += origin.offset }
    }
  }

  /// Calls `body` with the bytes of rows of a tensor of one part, before any offset.
  ///
  /// Rows that stand together in a mapped file are not copied; others are gathered in `scratch`.
  package func withBytes(
    _ rows: Range<Int>, _ scratch: Scratch,
    _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    let rowByteCount = rowByteCount
    let spans = spans(rows)
    if spans.count == 1, origin.order == .same {
      let (record, part, _) = spans[0]
      let range = part.lowerBound * rowByteCount..<part.upperBound * rowByteCount
      return try record.bytes.withUnsafeBytes { (bytes) throws(CheckpointError) in
        try body(UnsafeRawBufferPointer(rebasing: bytes[range]))
      }
    }
    let gathered = scratch.sourceBytes(rows.count * rowByteCount)
    for (record, part, first) in spans {
      let target = UnsafeMutableRawBufferPointer(rebasing: gathered[(first * rowByteCount)...])
      record.bytes.withUnsafeBytes { bytes in
        if origin.order == .transposed {
          transpose(bytes, part, into: target)
        } else {
          move(bytes, part, into: target)
        }
      }
    }
    try body(UnsafeRawBufferPointer(gathered))
  }

  private func move(
    _ bytes: UnsafeRawBufferPointer, _ rows: Range<Int>, into target: UnsafeMutableRawBufferPointer
  ) {
    let width = rowByteCount
    for (index, row) in rows.enumerated() {
      let first = origin.order.sourceRow(row) * width
      UnsafeMutableRawBufferPointer(rebasing: target[(index * width)...])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[first..<first + width]))
    }
  }

  /// Row `r` of the target is column `r` of the stored matrix of plain numbers.
  private func transpose(
    _ bytes: UnsafeRawBufferPointer, _ rows: Range<Int>, into target: UnsafeMutableRawBufferPointer
  ) {
    let width = rowByteCount / max(columnCount, 1)
    for column in 0..<columnCount {
      let stored = column * recordRowCount
      for (index, row) in rows.enumerated() {
        let from = (stored + row) * width
        let to = (index * columnCount + column) * width
        for byte in 0..<width { target[to + byte] = bytes[from + byte] }
      }
    }
  }

  /// The stored tensors that hold `rows`, with the rows within each and the place of the first among `rows`.
  private func spans(_ rows: Range<Int>) -> [(TensorRecord, Range<Int>, first: Int)] {
    guard origin.records.count > 1 else { return [(origin.records[0], rows, 0)] }
    var spans: [(TensorRecord, Range<Int>, first: Int)] = []
    var row = rows.lowerBound
    while row < rows.upperBound {
      let (index, inside) = row.quotientAndRemainder(dividingBy: recordRowCount)
      let count = min(recordRowCount - inside, rows.upperBound - row)
      spans.append((origin.records[index], inside..<inside + count, row - rows.lowerBound))
      row += count
    }
    return spans
  }

  /// Where an element stands in the files: the stored tensor's name, row and column.
  package func place(row: Int, column: Int) -> (name: String, row: Int, column: Int) {
    let inside = recordRowCount == 0 ? row : row % recordRowCount
    let record = origin.records[recordRowCount == 0 ? 0 : row / recordRowCount]
    if origin.order == .transposed { return (record.name, column, inside) }
    return (record.name, origin.order.sourceRow(inside), column)
  }

  /// Lets the system drop the pages of `rows`, where they stand together.
  package func release(_ rows: Range<Int>) {
    guard origin.order == .same else { return }
    for (record, part, _) in spans(rows) where record.parts.count == 1 || record.hasOwnRows {
      if record.parts.count > 1 {
        record.releasePages(rows: part)
      } else {
        record.bytes[part.lowerBound * rowByteCount..<part.upperBound * rowByteCount].releasePages()
      }
    }
  }

  /// Lets the system drop all pages.
  package func release() { origin.releasePages() }
}
