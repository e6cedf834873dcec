public import NibbleTensors

/// Finds the codes of weights that lie on a scheme's grid already: a checkpoint that was trained with quantization in mind,
/// or that another format was decoded to.
///
/// Such weights were rounded once more, to the checkpoint's numbers. A group is recovered when codes, scale and offset in
/// the scheme's formats decode to values that round to the very same numbers. Zeros keep their sign where the scheme has both. What the
/// scheme's own encoder finds is taken where that is so; else a search tries each level for the largest value. Scales that
/// are stored relative to others in 8 bits (double quantization, nvfp4) and learned levels have the encoder alone.
public struct GridRecovery: Sendable {
  /// The scheme's own encoder.
  public var method = RoundToNearest()
  private let rounding: NumberRounding

  /// A recovery of weights that a checkpoint stores as `type`; nil for types but F32, F16 and BF16.
  public init?(type: DType) {
    guard let rounding = NumberRounding(type) else { return nil }
    self.rounding = rounding
  }

  /// Quantizes weights, without any loss where they lie on the grid.
  ///
  /// - Parameters:
  ///   - weight: `[rowCount, columnCount]`, row-major, finite.
  ///   - rowCount: output features.
  ///   - columnCount: input features.
  ///   - scheme: any scheme whose columns are in their own order.
  /// - Returns: the codes, and how many groups are exact; the others are the encoder's.
  /// - Throws: ``QuantizationError`` as ``RoundToNearest``, and for schemes that order columns.
  /// - Complexity: for each group of n values, O(n log levels + levels²).
  public func recover(
    _ weight: UnsafeBufferPointer<Float>, rowCount: Int, columnCount: Int, as scheme: Scheme
  ) throws(QuantizationError) -> (tensor: QuantizedTensor, report: GridReport) {
    guard !scheme.hasColumnOrder else {
      throw QuantizationError(.unsupported, "the order of columns of \(scheme) is not searched for")
    }
    let plain = try method.quantize(
      weight, rowCount: rowCount, columnCount: columnCount, as: scheme)
    let groups = try Groups(scheme, rowCount: rowCount, columnCount: columnCount)
    let weights = GroupedWeights(weight, nil, groups)
    var grid = RecoveredGroups(plain, groups, rounding)
    let faulty = grid.faultyGroups(weights)
    if !faulty.isEmpty {
      if scheme.hasNestedScales {
        NestedGridSearch(scheme, rounding)?.run(faulty, weights, groups, &grid)
      } else {
        PlainGridSearch(scheme, rounding)?.run(faulty, weights, groups, &grid)
      }
    }
    let report = grid.report(weights, faulty)
    let hasOtherZeros = grid.signZeros(weights)
    return (faulty.isEmpty && !hasOtherZeros ? plain : try grid.tensor(weights), report)
  }
}

/// How many groups of a tensor lie on a grid.
public struct GridReport: Hashable, Sendable {
  public var groupCount = 0
  /// Groups whose values are recovered, every bit of them.
  public var exactGroupCount = 0
  /// The largest difference of a value in the other groups, relative to the largest magnitude in its group.
  public var largestDeviation: Float = 0

  public init() {}

  /// Whether all groups are recovered.
  public var isExact: Bool { exactGroupCount == groupCount }

  /// Adds the groups of other rows.
  public mutating func add(_ other: GridReport) {
    groupCount += other.groupCount
    exactGroupCount += other.exactGroupCount
    largestDeviation = max(largestDeviation, other.largestDeviation)
  }
}
