internal import CNibbleKernels

/// How a matrix falls into runs of neighbours that share a scale.
///
/// Groups of columns are runs of the transposed matrix; all others are runs of the matrix itself.
struct Groups: Sendable {
  let rowCount: Int
  let columnCount: Int
  private let granularity: Granularity
  /// The number of groups.
  let count: Int

  init(_ scheme: Scheme, rowCount: Int, columnCount: Int) throws(QuantizationError) {
    self.rowCount = rowCount
    self.columnCount = columnCount
    granularity = scheme.granularity
    count = try scheme.groupCount(rowCount: rowCount, columnCount: columnCount)
  }

  /// Whether groups run along the transposed matrix.
  var isTransposed: Bool { granularity == .column }

  /// The elements of a group, as places in the (transposed) matrix.
  func range(_ group: Int) -> Range<Int> {
    switch granularity {
    case .tensor: return 0..<rowCount * columnCount
    case .row: return group * columnCount..<(group + 1) * columnCount
    case .column: return group * rowCount..<(group + 1) * rowCount
    case .group(let length), .block(_, let length):
      let perRow = (columnCount + length - 1) / length
      let (row, place) = group.quotientAndRemainder(dividingBy: perRow)
      let first = place * length
      return row * columnCount + first..<row * columnCount + min(first + length, columnCount)
    }
  }

  /// The columns that a group's elements stand in; nil where a group holds whole rows or one column.
  func columns(_ group: Int) -> Range<Int>? {
    switch granularity {
    case .tensor, .column: return nil
    case .row: return 0..<columnCount
    case .group, .block:
      let range = range(group)
      let first = range.lowerBound % columnCount
      return first..<first + range.count
    }
  }

  /// Where a group is, for messages.
  func place(_ group: Int) -> String {
    switch granularity {
    case .tensor: return "the tensor"
    case .row: return "row \(group)"
    case .column: return "column \(group)"
    case .group, .block:
      let range = range(group)
      let first = range.lowerBound % columnCount
      return "row \(range.lowerBound / columnCount), columns \(first)..<\(first + range.count)"
    }
  }
}

/// The kernels of this machine.
let groupKernels: nk_group_table = nk_groups().pointee

/// Copies `[rowCount, columnCount]` to `[columnCount, rowCount]`.
func transposed<Element>(
  _ values: UnsafeBufferPointer<Element>, rowCount: Int, columnCount: Int
) -> [Element] {
  precondition(values.count == rowCount * columnCount)
  return [Element](unsafeUninitializedCapacity: values.count) { target, count in
    for row in 0..<rowCount {
      for column in 0..<columnCount {
        target.initializeElement(
          at: column * rowCount + row, to: values[row * columnCount + column])
      }
    }
    count = values.count
  }
}
