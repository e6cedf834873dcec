/// The values of a matrix in the order of its groups.
final class GroupedWeights {
  private let matrix: UnsafeBufferPointer<Float>
  private let columnImportance: UnsafeBufferPointer<Float>?
  private let groups: Groups
  /// The transposed matrix, for groups of columns.
  private let sideways: UnsafeMutableBufferPointer<Float>?
  /// Each column's importance again for every row, for a group of all rows.
  private let tiled: UnsafeMutableBufferPointer<Float>?

  var count: Int { matrix.count }

  /// - Precondition: the buffers outlive this object.
  init(
    _ matrix: UnsafeBufferPointer<Float>, _ importance: UnsafeBufferPointer<Float>?,
    _ groups: Groups
  ) {
    self.matrix = matrix
    self.groups = groups
    columnImportance = importance
    sideways =
      groups.isTransposed
      ? Self.filled(transposed(matrix, rowCount: groups.rowCount, columnCount: groups.columnCount))
      : nil
    let isTiled = groups.count > 0 && groups.columns(0) == nil && !groups.isTransposed
    tiled =
      isTiled
      ? importance.map { factors in Self.filled((0..<groups.rowCount).flatMap { _ in factors }) }
      : nil
  }

  deinit {
    sideways?.deallocate()
    tiled?.deallocate()
  }

  private static func filled(_ values: [Float]) -> UnsafeMutableBufferPointer<Float> {
    let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: max(values.count, 1))
    _ = buffer.initialize(from: values)
    return buffer
  }

  /// The values of one group; valid as long as this object.
  func values(_ place: Range<Int>) -> UnsafeBufferPointer<Float> {
    if let sideways { return UnsafeBufferPointer(rebasing: UnsafeBufferPointer(sideways)[place]) }
    return UnsafeBufferPointer(rebasing: matrix[place])
  }

  /// The importance of a group's values; nil where it is the same for all of them.
  func importance(_ group: Int) -> UnsafeBufferPointer<Float>? {
    if let tiled { return UnsafeBufferPointer(rebasing: tiled[..<matrix.count]) }
    guard let columnImportance, let columns = groups.columns(group) else { return nil }
    return UnsafeBufferPointer(rebasing: columnImportance[columns])
  }

  /// Codes in the matrix's own order.
  func upright(_ codes: [UInt8]) -> [UInt8] {
    guard groups.isTransposed else { return codes }
    return codes.withUnsafeBufferPointer {
      transposed($0, rowCount: groups.columnCount, columnCount: groups.rowCount)
    }
  }
}
