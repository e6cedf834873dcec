internal import CNibbleKernels

/// How the rows of a scheme fall into groups, and what each group's codes stand for.
struct RowShape: Sendable {
  let scheme: Scheme
  let columnCount: Int
  /// `columnCount`, rounded up to a multiple of eight.
  let paddedCount: Int
  /// Groups of a row.
  let groupCount: Int
  /// Scales of a row that others are relative to; 0 without nested scales.
  let parentCount: Int
  /// Levels that each row has of its own; 0 where the scheme has them.
  let learnedCount: Int
  /// The first column of each group, and `columnCount`.
  let firstColumns: [UInt32]
  /// The group of each column; that of padding is 0.
  let groups: [UInt32]
  /// The largest code of integers.
  let top: Float
  /// The code of level 0 of integers, without a zero point.
  let bias: Float
  /// The levels and thresholds of a codebook.
  let table: LevelTable?

  /// - Throws: ``QuantizationError`` when the groups do not lie along rows.
  init(_ scheme: Scheme, columnCount: Int) throws(QuantizationError) {
    guard let groupCount = scheme.granularity.groupsPerRow(columnCount: columnCount),
      columnCount % scheme.granularity.columnMultiple == 0
    else {
      throw QuantizationError(
        scheme.granularity.groupsPerRow(columnCount: columnCount) == nil ? .unsupported : .shape,
        "error feedback needs groups along rows of whole blocks, and \(scheme) has none in \(columnCount) columns"
      )
    }
    if case .learned = scheme.element, scheme.granularity != .row {
      throw QuantizationError(.unsupported, "error feedback learns levels by row only")
    }
    self.scheme = scheme
    self.columnCount = columnCount
    self.groupCount = groupCount
    paddedCount = (columnCount + 7) / 8 * 8
    learnedCount = scheme.scalesPerGroup > 1 ? scheme.scalesPerGroup : 0
    let length: Int
    switch scheme.granularity {
    case .group(let count): (length, parentCount) = (count, 0)
    case .block(let whole, let sub): (length, parentCount) = (sub, columnCount / whole)
    default: (length, parentCount) = (max(columnCount, 1), 0)
    }
    firstColumns = (0...groupCount).map { UInt32(min($0 * length, columnCount)) }
    groups = (0..<paddedCount).map { $0 < columnCount ? UInt32($0 / length) : 0 }
    switch scheme.element {
    case .int(let bits): (top, bias, table) = (Float(1 << bits - 1), Float(1 << (bits - 1)), nil)
    case .uint(let bits): (top, bias, table) = (Float(1 << bits - 1), 0, nil)
    case .codebook(let book): (top, bias, table) = (0, 0, LevelTable(book))
    case .learned: (top, bias, table) = (0, 0, nil)
    }
  }

  /// Levels of a table: the scheme's or each row's own; 0 for integers.
  var levelCount: Int { table?.levels.count ?? learnedCount }

  /// 1 / scale; 0 for scales so small that it would be infinite.
  static func inverse(_ scale: Float) -> Float {
    abs(scale) >= Float.leastNormalMagnitude ? 1 / scale : 0
  }
}
