internal import NibbleQuantization

/// Runs of a row's columns that belong to one group each.
struct GroupRuns: Sendable {
  /// Columns of a run; the last one of a row may be shorter.
  let length: Int
  /// Runs of a row.
  let perRow: Int
  private let columnCount: Int
  private let isRowLocal: Bool

  init(_ granularity: Granularity, columnCount: Int) {
    self.columnCount = columnCount
    isRowLocal = granularity.isRowLocal
    let wanted =
      switch granularity {
      case .tensor, .row: columnCount
      case .column: 1
      case .group(let length), .block(_, let length): length
      }
    length = max(1, wanted)
    perRow = (columnCount + length - 1) / length
  }

  /// The group of a run.
  func group(row: Int, run: Int) -> Int { isRowLocal ? row * perRow + run : run }

  /// The columns of a run.
  func columns(_ run: Int) -> Range<Int> {
    run * length..<min((run + 1) * length, columnCount)
  }

  /// The runs that some columns reach into.
  ///
  /// - Precondition: `columns` is not empty.
  func runs(_ columns: Range<Int>) -> ClosedRange<Int> {
    columns.lowerBound / length...(columns.upperBound - 1) / length
  }

  /// The groups of some rows.
  func groups(_ rows: Range<Int>) -> Range<Int> {
    isRowLocal ? rows.lowerBound * perRow..<rows.upperBound * perRow : 0..<perRow
  }
}
