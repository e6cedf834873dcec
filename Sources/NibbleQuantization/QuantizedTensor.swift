/// A matrix as codes with encoded scales and offsets: what every method makes and every layout stores.
///
/// Element (row, column) is `level(code) * scale + offset`. Scales and offsets are kept as they are stored, so that
/// `unpack(pack(tensor)) == tensor`, bit for bit.
public struct QuantizedTensor: Hashable, Sendable {
  /// Output features.
  public let rowCount: Int
  /// Input features.
  public let columnCount: Int
  public let scheme: Scheme
  /// `[rowCount, columnCount]`: the index of each element's level, a byte each.
  public let codes: [UInt8]
  /// `[rowCount, groups of a row]`, or one for the tensor.
  public let scales: ScaleTree
  /// As `scales`; nil for schemes without offset.
  public let offsets: ScaleTree?

  /// Checks the counts and formats against the scheme and makes a tensor of the parts.
  ///
  /// - Throws: ``QuantizationError`` when a part does not fit the scheme.
  public init(
    rowCount: Int, columnCount: Int, scheme: Scheme, codes: [UInt8], scales: ScaleTree,
    offsets: ScaleTree?
  ) throws(QuantizationError) {
    let scaleCount = try scheme.scaleCount(rowCount: rowCount, columnCount: columnCount)
    guard codes.count == rowCount * columnCount else {
      throw QuantizationError(
        .shape, "\(codes.count) codes for \(rowCount) x \(columnCount) elements")
    }
    guard scales.format == scheme.scale, scales.count == scaleCount else {
      throw QuantizationError(.shape, "scales do not fit the scheme \(scheme)")
    }
    switch scheme.offset {
    case .none:
      guard offsets == nil else {
        throw QuantizationError(.shape, "the scheme \(scheme) has no offsets")
      }
    case .minimum(let format):
      guard offsets?.format == format, offsets?.count == scaleCount else {
        throw QuantizationError(.shape, "offsets do not fit the scheme \(scheme)")
      }
    case .zeroPoint:
      throw QuantizationError(.unsupported, "zero points are not supported yet: \(scheme)")
    }
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.scheme = scheme
    self.codes = codes
    self.scales = scales
    self.offsets = offsets
  }
}

extension Scheme {
  /// The number of scales of a matrix.
  ///
  /// - Throws: ``QuantizationError`` when its rows are no whole number of groups.
  public func scaleCount(rowCount: Int, columnCount: Int) throws(QuantizationError) -> Int {
    guard rowCount >= 0, columnCount >= 0, columnCount % granularity.columnMultiple == 0 else {
      throw QuantizationError(
        .shape,
        "rows of \(columnCount) are no multiple of \(granularity.columnMultiple), as \(self) needs")
    }
    guard let length = granularity.groupLength(columnCount: columnCount) else { return 1 }
    return length == 0 ? 0 : rowCount * (columnCount / length)
  }
}
