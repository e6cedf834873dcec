/// Which elements share a scale. Groups run along a row.
public enum Granularity: Hashable, Codable, Sendable {
  /// The whole tensor.
  case tensor
  /// Each row (output feature).
  case row
  /// Each run of so many columns.
  case group(Int)
  /// Each run of `sub` columns; the scales of each run of `super` columns are stored relative to a common one.
  case block(super: Int, sub: Int)

  /// Columns that share a scale in a matrix of `columnCount` columns; nil where all rows share it.
  public func groupLength(columnCount: Int) -> Int? {
    switch self {
    case .tensor: nil
    case .row: columnCount
    case .group(let length): length
    case .block(_, let sub): sub
    }
  }

  /// The number of columns must be a multiple of this.
  public var columnMultiple: Int {
    switch self {
    case .tensor, .row: 1
    case .group(let length): length
    case .block(let length, _): length
    }
  }
}
