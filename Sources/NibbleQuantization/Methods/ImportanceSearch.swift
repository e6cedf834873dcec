public import NibbleTensors

/// Round-to-nearest on grids that are searched for the inputs: each column's square error counts as much as its input is
/// large ("imatrix").
///
/// The importance of a column is the mean square of its input, the diagonal of a layer's statistics; errors of different
/// columns are taken not to meet. Several searches begin, each group (or block of groups) takes the best of them, and
/// then scales and codes take turns: least-squares scales for the codes, rounded to the format in which they are stored,
/// and the nearest codes for these.
public struct ImportanceSearch: Sendable {
  /// How often scales are fitted again, at most.
  public var roundCount = 4

  public init() {}

  /// Quantizes a weight matrix.
  ///
  /// - Parameters:
  ///   - weights: `[rowCount, columnCount]`, row-major, finite.
  ///   - rowCount: output features.
  ///   - columnCount: input features.
  ///   - scheme: any scheme whose groups lie along rows.
  ///   - importance: `[columnCount]`: the mean square of each input.
  ///   - pool: threads that share the rows; the result is the same for any number of them.
  /// - Returns: codes, encoded scales, and the weighted square errors before and after.
  /// - Throws: ``QuantizationError`` when the scheme or the counts do not fit, a value is NaN or infinite, or importance
  ///   is negative.
  public func quantize(
    _ weights: UnsafeBufferPointer<Float>, rowCount: Int, columnCount: Int, as scheme: Scheme,
    importance: [Float], pool: WorkerPool
  ) throws(QuantizationError) -> (QuantizedTensor, LayerReport) {
    precondition(weights.count == rowCount * columnCount)
    guard importance.count == columnCount else {
      throw QuantizationError(
        .shape, "importance of \(importance.count) inputs for \(columnCount) columns")
    }
    guard importance.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
      throw QuantizationError(.invalidValue, "importance is negative, NaN or infinite")
    }
    guard !scheme.hasColumnOrder else {
      return try scheme.ordered(weights, importance: importance) {
        (weights, scheme, order) throws(QuantizationError) in
        try quantize(
          weights, rowCount: rowCount, columnCount: columnCount, as: scheme,
          importance: order.map { importance[Int($0)] }, pool: pool)
      }
    }
    let shape = try RowShape(scheme, columnCount: columnCount)
    let metric = LayerMetric(importance: importance)
    let starts = GridStarts(shape, rowCount: rowCount, pool: pool)
    let plain = try starts.roundToNearest(weights)
    let rows = RowSolutions(shape, rowCount: rowCount)
    rows.fixedScales = plain.fixedScales
    // Scales that rows share stay as they are.
    let grids = scheme.isRowLocal ? try starts.weighted(weights, importance: importance) : []
    var report = TileRun.optimize(
      weights, metric, plain, grids, into: rows, roundCount: roundCount, passLimit: 0, pool)
    report.isDiagonal = false
    return (try rows.tensor(), report)
  }
}
