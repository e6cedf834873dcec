/// Which elements share a scale. Groups run along a row.
public enum Granularity: Hashable, Codable, Sendable {
  /// The whole tensor.
  case tensor
  /// Each row (output feature).
  case row
  /// Each column (input feature).
  case column
  /// Each run of so many columns; the last one of a row may be shorter.
  case group(Int)
  /// Each run of `sub` columns; the scales of each run of `super` columns are stored relative to a common one.
  case block(super: Int, sub: Int)

  /// The groups of a row of `columnCount` columns; nil where rows share them.
  public func groupsPerRow(columnCount: Int) -> Int? {
    switch self {
    case .tensor, .column: nil
    case .row: columnCount == 0 ? 0 : 1
    case .group(let length): (columnCount + length - 1) / length
    case .block(_, let sub): (columnCount + sub - 1) / sub
    }
  }

  /// The groups of a matrix; each has at least one element.
  public func groupCount(rowCount: Int, columnCount: Int) -> Int {
    switch self {
    case .tensor: rowCount * columnCount == 0 ? 0 : 1
    case .column: rowCount == 0 ? 0 : columnCount
    default: rowCount * (groupsPerRow(columnCount: columnCount) ?? 0)
    }
  }

  /// The number of columns must be a multiple of this.
  public var columnMultiple: Int {
    if case .block(let length, _) = self { length } else { 1 }
  }

  /// Whether a row's scales belong to that row alone.
  public var isRowLocal: Bool {
    switch self {
    case .tensor, .column: false
    default: true
    }
  }
}
