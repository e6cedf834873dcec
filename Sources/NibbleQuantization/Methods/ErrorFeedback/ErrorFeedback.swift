internal import CNibbleKernels
public import NibbleTensors

/// Rounding that makes up for its own errors: each column is rounded after the errors of the columns before it were
/// pushed into it, so that the layer's outputs, not its weights, stay near ("gptq").
///
/// Implements the sweep of GPTQ (Frantar et al. 2022, arXiv:2210.17323, section 3) in the form LDLQ (Chee et al. 2023,
/// arXiv:2307.13304), on grids that are fixed before it, for any scheme whose groups lie along rows. Scales are then
/// fitted again for the codes found, and codes again for the scales. No row ends with a larger objective than
/// round-to-nearest has.
public struct ErrorFeedback: Sendable {
  /// Which columns are rounded first.
  public enum Order: Hashable, Sendable {
    /// Those with the largest mean square input: their errors can be spread over all others.
    case descendingImportance
    /// As they stand.
    case natural
  }

  public var order = Order.descendingImportance
  /// What is added to each element of the statistics' diagonal, as a share of it.
  ///
  /// Columns go together on other texts less than they do on the tokens that the statistics saw. This shrinks every
  /// correlation by as much, whatever the columns' sizes, for all that is optimized; what is reported is without it.
  public var loading = 0.3
  /// What is added to the diagonal besides for target and sweep, as a share of its mean.
  public var damping = 0.15
  /// How often scales are fitted again and the sweep is repeated; not at all with fewer tokens than twice the columns, where that
  /// would fit these tokens and nothing else.
  public var refinementRounds = 3
  /// Passes of coordinate descent over the codes in each of these rounds, at most.
  public var descentPasses = 4

  public init() {}

  /// Quantizes a weight matrix for the inputs that its layer receives.
  ///
  /// - Parameters:
  ///   - weights: `[rowCount, columnCount]`, row-major, finite.
  ///   - rowCount: output features.
  ///   - columnCount: input features.
  ///   - scheme: any scheme whose groups lie along rows.
  ///   - statistics: of the layer's `columnCount` inputs.
  ///   - pool: threads that share the rows; the result is the same for any number of them.
  /// - Returns: codes in the order of the columns, or that of descending importance where the scheme has one, encoded scales, and what was achieved.
  /// - Throws: ``QuantizationError`` when the scheme or the statistics do not fit, or a value is NaN or infinite.
  /// - Complexity: O(rowCount · columnCount²) multiply-adds for each sweep, O(columnCount²) memory beside the weights.
  public func quantize(
    _ weights: UnsafeBufferPointer<Float>, rowCount: Int, columnCount: Int, as scheme: Scheme,
    statistics: LayerStatistics, pool: WorkerPool
  ) throws(QuantizationError) -> (QuantizedTensor, LayerReport) {
    precondition(weights.count == rowCount * columnCount)
    try statistics.requireColumns(columnCount)
    guard !scheme.hasColumnOrder else {
      var plain = self
      plain.order = .natural
      return try scheme.ordered(weights, importance: statistics.importance) {
        (weights, scheme, order) throws(QuantizationError) in
        try plain.quantize(
          weights, rowCount: rowCount, columnCount: columnCount, as: scheme,
          statistics: statistics.gathered(in: order), pool: pool)
      }
    }
    let shape = try RowShape(scheme, columnCount: columnCount)
    let metric = LayerMetric(
      statistics, order: order, loading: loading, damping: damping, pool: pool)
    let target = LayerTarget(statistics, metric)?.weights(
      weights, rowCount: rowCount, pool: pool)
    let starts = GridStarts(shape, rowCount: rowCount, pool: pool)
    let plain = try starts.roundToNearest(weights)
    let rows = RowSolutions(shape, rowCount: rowCount)
    func run(_ target: UnsafeBufferPointer<Float>) throws(QuantizationError) -> LayerReport {
      // Scales that rows share stay as they are.
      let grids =
        scheme.isRowLocal
        ? try starts.weighted(target, importance: statistics.importance) : [plain]
      rows.fixedScales = plain.fixedScales
      return TileRun.optimize(
        target, metric, plain, grids, into: rows,
        roundCount: statistics.isDetermined ? refinementRounds : 0,
        passLimit: descentPasses, pool)
    }
    var report: LayerReport
    if let target {
      let result = target.weights.withUnsafeBufferPointer { buffer in
        Result { () throws(QuantizationError) in try run(buffer) }
      }
      report = try result.get()
    } else {
      report = try run(weights)
    }
    report.correctionShare = target?.share
    report.isUndetermined = !statistics.isDetermined
    return (try rows.tensor(), report)
  }
}
