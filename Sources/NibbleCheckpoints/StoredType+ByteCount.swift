internal import NibbleQuantization
internal import NibbleTensors

extension StoredType {
  /// Bytes that a tensor of this type takes in a file.
  ///
  /// - Parameter shape: dimensions, slowest first.
  /// - Returns: the bytes, 0 where a dimension is 0.
  /// - Throws: ``CheckpointError/Code/malformed`` for a negative dimension, an overflow, a row
  ///   that is no whole number of blocks, or a number of bits that does not fill whole bytes.
  public func byteCount(shape: [Int]) throws(CheckpointError) -> Int {
    // Dimensions of zero count as one here, so that no product of any of the dimensions overflows.
    var elementCount = 1
    for dimension in shape {
      guard dimension >= 0 else {
        throw CheckpointError(.malformed, "dimension \(dimension) is negative")
      }
      let (product, overflow) = elementCount.multipliedReportingOverflow(by: max(dimension, 1))
      guard !overflow else { throw overflowFault(shape) }
      elementCount = product
    }
    let byteCount = try wholeByteCount(elementCount: elementCount, shape: shape)
    return shape.contains(0) ? 0 : byteCount
  }

  private func wholeByteCount(
    elementCount: Int, shape: [Int]
  ) throws(CheckpointError) -> Int {
    switch self {
    case .plain(let type):
      let (bits, overflow) = elementCount.multipliedReportingOverflow(by: type.bitCount)
      guard !overflow else { throw overflowFault(shape) }
      guard bits % 8 == 0 || shape.contains(0) else {
        throw CheckpointError(
          .malformed, "\(elementCount) elements of \(type.rawValue) do not fill whole bytes")
      }
      return bits / 8
    case .scheme(let scheme):
      let columnCount = shape.last ?? 1
      do {
        let parts = try scheme.parts(
          rowCount: elementCount / max(columnCount, 1), columnCount: columnCount)
        return parts.reduce(0) { $0 + $1.byteCount }
      } catch {
        throw CheckpointError(.malformed, error.message)
      }
    case .blocks(let type):
      let columnCount = shape.last ?? 1
      guard columnCount % type.block.elementCount == 0 else {
        throw CheckpointError(
          .malformed,
          "rows of \(columnCount) are no whole number of \(type.name) blocks of "
            + "\(type.block.elementCount)")
      }
      guard let rowByteCount = type.rowByteCount(columnCount: max(columnCount, 1)) ?? zeroRow(shape)
      else { throw overflowFault(shape) }
      let (bytes, overflow) = (elementCount / max(columnCount, 1))
        .multipliedReportingOverflow(by: rowByteCount)
      guard !overflow else { throw overflowFault(shape) }
      return bytes
    }
  }

  private func zeroRow(_ shape: [Int]) -> Int? { shape.last == 0 ? 0 : nil }

  private func overflowFault(_ shape: [Int]) -> CheckpointError {
    CheckpointError(
      .malformed, "the dimensions \(shape.prefix(8)) are too large: their product overflows")
  }
}
