/// A layout whose parts are tensors of a file, each with a name, a type and a shape of its own.
public protocol ArrayLayout: WeightLayout {
  /// Why matrices of `scheme` and this shape cannot be stored exactly; nil when they can.
  func obstacle(to scheme: Scheme, rowCount: Int, columnCount: Int) -> String?

  /// The arrays of a matrix, in the order in which ``WeightLayout/pack(_:)`` gives their bytes and
  /// ``WeightLayout/unpack(_:rowCount:columnCount:scheme:)`` takes them.
  ///
  /// - Throws: ``QuantizationError`` with the obstacle.
  func parts(
    _ scheme: Scheme, rowCount: Int, columnCount: Int
  ) throws(QuantizationError) -> [SchemePart]
}

extension ArrayLayout {
  /// - Throws: ``QuantizationError`` with the obstacle to storing such matrices, where there is one.
  public func requireStorable(
    _ scheme: Scheme, rowCount: Int, columnCount: Int
  ) throws(QuantizationError) {
    if let obstacle = obstacle(to: scheme, rowCount: rowCount, columnCount: columnCount) {
      throw QuantizationError(.unsupported, obstacle)
    }
  }

  /// Bytes that a row takes of each array, where every row has its own run of all of them and any number of rows can be stored.
  ///
  /// - Returns: nil where rows share something.
  public func rowByteCounts(_ scheme: Scheme, columnCount: Int) -> [Int]? {
    guard scheme.isRowLocal,
      let row = try? parts(scheme, rowCount: 1, columnCount: columnCount),
      row.allSatisfy(\.isPerRow)
    else { return nil }
    return row.map(\.rowByteCount)
  }
}
