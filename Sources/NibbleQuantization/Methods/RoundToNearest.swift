internal import CNibbleKernels

/// Rounds each weight to its nearest code, with the scales of each block searched for the least weighted square error.
///
/// ``BlockCodec/encode(_:_:columnCount:importance:into:)`` is the same search straight to bytes.
public struct RoundToNearest: Sendable {
  public init() {}

  /// Quantizes a weight matrix.
  ///
  /// - Parameters:
  ///   - weight: `[rowCount, columnCount]`, row-major, finite.
  ///   - rowCount: output features.
  ///   - columnCount: input features.
  ///   - importance: a factor >= 0 for each column's square error, or nil.
  ///   - scheme: the scheme of a GGUF block type.
  /// - Returns: codes and encoded scales.
  /// - Throws: ``QuantizationError`` when the scheme is no block scheme, or rows are no whole number of blocks.
  public func quantize(
    _ weight: UnsafeBufferPointer<Float>, rowCount: Int, columnCount: Int,
    importance: UnsafeBufferPointer<Float>? = nil, as scheme: Scheme
  ) throws(QuantizationError) -> QuantizedTensor {
    precondition(weight.count == rowCount * columnCount)
    guard let type = GGMLType(scheme: scheme) else {
      throw QuantizationError(.unsupported, "round-to-nearest does not know the scheme \(scheme)")
    }
    _ = try scheme.scaleCount(rowCount: rowCount, columnCount: columnCount)
    BlockCodec.check(weight, type, columnCount, importance)
    let blockCount = weight.count / type.block.elementCount
    guard var parts = BlockParts(type: type, blockCount: blockCount) else {
      throw QuantizationError(.unsupported, "round-to-nearest does not know the scheme \(scheme)")
    }
    if let source = weight.baseAddress, !weight.isEmpty {
      parts.withPointers { fields in
        withUnsafePointer(to: fields) {
          nk_blocks().pointee.quantize(
            type.rawValue, source, weight.count, importance?.baseAddress, columnCount, $0)
        }
      }
    }
    return try parts.tensor(rowCount: rowCount, columnCount: columnCount, scheme: scheme)
  }
}
