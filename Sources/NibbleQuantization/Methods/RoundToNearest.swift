internal import CNibbleKernels

/// Rounds each weight to the nearest code on a grid that a range estimator, or a search over blocks, has chosen.
public struct RoundToNearest: Sendable {
  /// What finds the scale and offset of each group; nil takes the scheme's own: the search of nested scales for GGUF's
  /// types, and else ``Scheme/usualRange``.
  public var range: (any RangeEstimator)?
  /// Whether learned levels are found by dynamic programming, slower, instead of Lloyd's iteration.
  public var findsExactMeans = false

  public init(range: (any RangeEstimator)? = nil) { self.range = range }

  /// Quantizes a weight matrix.
  ///
  /// - Parameters:
  ///   - weight: `[rowCount, columnCount]`, row-major, finite.
  ///   - rowCount: output features.
  ///   - columnCount: input features.
  ///   - importance: a factor >= 0 for each column's square error, or nil.
  ///   - scheme: any scheme; nested scales only as GGUF types have them.
  /// - Returns: codes and encoded scales.
  /// - Throws: ``QuantizationError`` when the rows are no whole number of blocks, a value is NaN or infinite, or a scale
  ///   does not fit its format.
  public func quantize(
    _ weight: UnsafeBufferPointer<Float>, rowCount: Int, columnCount: Int,
    importance: UnsafeBufferPointer<Float>? = nil, as scheme: Scheme
  ) throws(QuantizationError) -> QuantizedTensor {
    precondition(weight.count == rowCount * columnCount)
    precondition(importance.map { $0.count == columnCount } ?? true)
    if let index = weight.firstIndex(where: { !$0.isFinite }) {
      let (row, column) = index.quotientAndRemainder(dividingBy: columnCount)
      let kind = weight[index].isNaN ? "NaN" : "infinity"
      throw QuantizationError(.invalidValue, "holds \(kind) at row \(row), column \(column)")
    }
    if range == nil || scheme.hasNestedScales, let type = GGMLType(scheme: scheme) {
      return try searchBlocks(weight, rowCount, columnCount, importance, type, scheme)
    }
    guard !scheme.hasNestedScales else {
      throw QuantizationError(.unsupported, "round-to-nearest does not know the scheme \(scheme)")
    }
    let run = try GroupRounding(
      scheme: scheme, method: self, rowCount: rowCount, columnCount: columnCount)
    return try run.quantize(weight, importance)
  }

  /// Quantizes a weight of any number of dimensions, the first of which is the output: a convolution's
  /// `[out, in, height, width]` has a row for each output channel.
  ///
  /// - Parameters:
  ///   - weight: the elements, row-major, finite.
  ///   - shape: dimensions, slowest first.
  ///   - scheme: any scheme.
  /// - Returns: codes and scales of `[out, all other dimensions]`.
  /// - Throws: as ``quantize(_:rowCount:columnCount:importance:as:)``.
  /// - Precondition: `weight.count` is the product of the dimensions.
  public func quantize(
    _ weight: UnsafeBufferPointer<Float>, shape: [Int], as scheme: Scheme
  ) throws(QuantizationError) -> QuantizedTensor {
    try quantize(
      weight, rowCount: shape.first ?? 1, columnCount: shape.dropFirst().reduce(1, *), as: scheme)
  }

  private func searchBlocks(
    _ weight: UnsafeBufferPointer<Float>, _ rowCount: Int, _ columnCount: Int,
    _ importance: UnsafeBufferPointer<Float>?, _ type: GGMLType, _ scheme: Scheme
  ) throws(QuantizationError) -> QuantizedTensor {
    guard columnCount % type.block.elementCount == 0 else {
      throw QuantizationError(
        .shape,
        "rows of \(columnCount) are no multiple of \(type.block.elementCount), as \(type.name) needs"
      )
    }
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

extension Scheme {
  /// Whether scales are stored relative to a common one.
  public var hasNestedScales: Bool {
    if case .integer = scale { true } else { false }
  }

  /// The range estimator that the scheme's name stands for: the largest magnitude for symmetric schemes, the smallest
  /// and largest value for others.
  public var usualRange: any RangeEstimator {
    offset == .none ? AbsMax() : MinMax()
  }
}
