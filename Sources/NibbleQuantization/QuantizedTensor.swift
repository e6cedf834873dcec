internal import Foundation

/// A matrix as codes with encoded scales and offsets: what every method makes and every layout stores.
///
/// Element (row, column) is `level(code) * scale + offset`; with a zero point, `(code - zero point) * scale`; with learned
/// levels, the code's level in its group. Scales and offsets are kept as they are stored, so that
/// `unpack(pack(tensor)) == tensor`, bit for bit.
public struct QuantizedTensor: Hashable, Sendable {
  /// Output features.
  public let rowCount: Int
  /// Input features.
  public let columnCount: Int
  public let scheme: Scheme
  /// `[rowCount, columnCount]`: the index of each element's level, a byte each.
  public let codes: [UInt8]
  /// One for each group, row by row; learned levels: `[groups, 2^bits]`, ascending within a group.
  public let scales: ScaleTree
  /// One for each group; nil for schemes without minima.
  public let offsets: ScaleTree?
  /// One for each group; nil for schemes without zero points.
  public let zeroPoints: [UInt8]?
  /// The column of the weights at each place of ``codes``' rows, a permutation, ascending within each group; nil where
  /// columns are in their own order.
  public let columnOrder: [Int32]?

  /// Checks the counts and formats against the scheme and makes a tensor of the parts.
  ///
  /// - Throws: ``QuantizationError`` when a part does not fit the scheme.
  public init(
    rowCount: Int, columnCount: Int, scheme: Scheme, codes: [UInt8], scales: ScaleTree,
    offsets: ScaleTree? = nil, zeroPoints: [UInt8]? = nil, columnOrder: [Int32]? = nil
  ) throws(QuantizationError) {
    let groupCount = try scheme.groupCount(rowCount: rowCount, columnCount: columnCount)
    guard codes.count == rowCount * columnCount else {
      throw QuantizationError(
        .shape, "\(codes.count) codes for \(rowCount) x \(columnCount) elements")
    }
    guard scales.format == scheme.scale, scales.count == groupCount * scheme.scalesPerGroup,
      scales.isConsistent
    else { throw QuantizationError(.shape, "scales do not fit the scheme \(scheme)") }
    var minimum: ScaleFormat?
    var zeroPointBits: Int?
    switch scheme.offset {
    case .none: break
    case .minimum(let format): minimum = format
    case .zeroPoint(let bits): zeroPointBits = bits
    }
    guard offsets?.format == minimum, offsets.map({ $0.count == groupCount }) ?? true,
      offsets?.isConsistent ?? true
    else { throw QuantizationError(.shape, "offsets do not fit the scheme \(scheme)") }
    guard (zeroPoints == nil) == (zeroPointBits == nil),
      zeroPoints.map({ $0.count == groupCount }) ?? true
    else { throw QuantizationError(.shape, "zero points do not fit the scheme \(scheme)") }
    guard (columnOrder != nil) == scheme.hasColumnOrder,
      columnOrder.map({ $0.count == columnCount && scheme.isColumnOrder($0) }) ?? true
    else {
      throw QuantizationError(.shape, "the order of columns does not fit the scheme \(scheme)")
    }
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.scheme = scheme
    self.codes = codes
    self.scales = scales
    self.offsets = offsets
    self.zeroPoints = zeroPoints
    self.columnOrder = columnOrder
  }
}

extension QuantizedTensor {
  /// Whether all parts are the same.
  public static func == (left: Self, right: Self) -> Bool {
    guard left.rowCount == right.rowCount, left.columnCount == right.columnCount,
      left.scheme == right.scheme, left.scales == right.scales, left.offsets == right.offsets,
      left.zeroPoints == right.zeroPoints, left.columnOrder == right.columnOrder
    else { return false }
    // An array's own comparison goes element by element.
    return left.codes.withUnsafeBytes { left in
      right.codes.withUnsafeBytes { right in
        guard let a = left.baseAddress, let b = right.baseAddress else {
          return left.count == right.count
        }
        return left.count == right.count && memcmp(a, b, left.count) == 0
      }
    }
  }
}

extension Scheme {
  /// The number of groups of a matrix.
  ///
  /// - Throws: ``QuantizationError`` when its rows are no whole number of blocks.
  public func groupCount(rowCount: Int, columnCount: Int) throws(QuantizationError) -> Int {
    guard rowCount >= 0, columnCount >= 0, columnCount % granularity.columnMultiple == 0 else {
      throw QuantizationError(
        .shape,
        "rows of \(columnCount) are no multiple of \(granularity.columnMultiple), as \(self) needs")
    }
    return granularity.groupCount(rowCount: rowCount, columnCount: columnCount)
  }
}
