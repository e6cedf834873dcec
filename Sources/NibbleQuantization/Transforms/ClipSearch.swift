public import NibbleTensors

/// Round-to-nearest after each group's largest weights were cut, as far as that helps the outputs.
///
/// Implements the weight clipping of Lin et al. 2024 (arXiv:2306.00978; in the authors' code, not in the paper's text): cutting a
/// group's extremes makes its steps finer. For each group several limits are tried, from the largest magnitude down to a
/// share of it, and the one is taken whose rounding moves the group's part of the output least. A row whose whole output
/// error did not fall keeps the codes of plain round-to-nearest.
public struct ClipSearch: Sendable {
  /// In how many steps limits would go down to 0.
  public var stepCount = 20
  /// How much of the largest magnitude may be cut, as a share.
  public var largestShrink = 0.5

  public init() {}

  /// Why groups of a scheme have no limits of their own; nil where they have.
  public static func obstacle(to scheme: Scheme) -> String? {
    if scheme.hasNestedScales { return "the nested scales of \(scheme) are searched together" }
    if case .learned = scheme.element { return "the levels of \(scheme) are learned" }
    if scheme.hasColumnOrder {
      return "\(scheme) orders columns by what rounding without limits needs"
    }
    if !scheme.isRowLocal { return "rows of \(scheme) share scales" }
    return nil
  }

  /// Quantizes a weight matrix.
  ///
  /// - Parameters:
  ///   - weights: `[rowCount, columnCount]`, row-major, finite.
  ///   - rowCount: output features.
  ///   - columnCount: input features.
  ///   - scheme: a scheme whose groups lie along rows, without nested scales or learned levels.
  ///   - statistics: of the layer's `columnCount` inputs.
  ///   - pool: threads that share the rows; the result is the same for any number of them.
  /// - Returns: codes and encoded scales, and the output errors without and with limits.
  /// - Throws: ``QuantizationError`` when the scheme or the statistics do not fit, or a value is NaN or infinite.
  /// - Complexity: O(rowCount · columnCount · (group · steps + columnCount)) multiply-adds.
  public func quantize(
    _ weights: UnsafeBufferPointer<Float>, rowCount: Int, columnCount: Int, as scheme: Scheme,
    statistics: LayerStatistics, pool: WorkerPool
  ) throws(QuantizationError) -> (QuantizedTensor, LayerReport) {
    precondition(weights.count == rowCount * columnCount)
    try statistics.requireColumns(columnCount)
    if let obstacle = Self.obstacle(to: scheme) {
      throw QuantizationError(.unsupported, "clipping has no meaning here: \(obstacle)")
    }
    let shape = try RowShape(scheme, columnCount: columnCount)
    let rounding = RowRounding(
      method: RoundToNearest(), scheme: scheme, columnCount: columnCount, pool: pool)
    let original = Array(weights)
    let plain = try rounding.decoded(original)
    var chosen = try clipped(original, GroupMetric(statistics, shape), rounding)
    let hessian = statistics.hessian
    func objectives(_ decoded: [Float]) -> [Double] {
      var errors = decoded
      for index in errors.indices { errors[index] -= original[index] }
      return OutputErrors.rows(errors, hessian, columnCount: columnCount, pool: pool)
    }
    let before = objectives(plain)
    var after = objectives(try rounding.decoded(chosen))
    var unchangedCount = 0
    for row in 0..<rowCount where !(after[row] < before[row]) {
      unchangedCount += 1
      after[row] = before[row]
      let columns = row * columnCount..<(row + 1) * columnCount
      chosen.replaceSubrange(columns, with: original[columns])
    }
    let rows = RowSolutions(shape, rowCount: rowCount)
    try rounding.pieces(rowCount, RowRounding.pieceRowCount) { part throws(QuantizationError) in
      let values = chosen[part.lowerBound * columnCount..<part.upperBound * columnCount]
      rows.store(try rounding.rounded(Array(values)), at: part.lowerBound)
    }
    let report = LayerReport(
      objectiveBefore: before.reduce(0, +), objectiveAfter: after.reduce(0, +), damping: 0,
      isDiagonal: false, deadColumnCount: statistics.importance.count { $0 == 0 },
      unchangedRowCount: unchangedCount)
    return (try rows.tensor(), report)
  }

  /// The weights with each group cut at its best limit.
  private func clipped(
    _ weights: [Float], _ metric: GroupMetric, _ rounding: RowRounding
  ) throws(QuantizationError) -> [Float] {
    let columnCount = rounding.columnCount
    let rowCount = columnCount > 0 ? weights.count / columnCount : 0
    var result = weights
    try result.withUnsafeMutableBufferPointer { result throws(QuantizationError) in
      try rounding.pieces(rowCount, RowRounding.pieceRowCount) { rows throws(QuantizationError) in
        let part = rows.lowerBound * columnCount..<rows.upperBound * columnCount
        let best = try clippedPiece(Array(weights[part]), metric, rounding)
        for (index, value) in best.enumerated() { result[part.lowerBound + index] = value }
      }
    }
    return result
  }

  private func clippedPiece(
    _ weights: [Float], _ metric: GroupMetric, _ rounding: RowRounding
  ) throws(QuantizationError) -> [Float] {
    let limits = metric.largestMagnitudes(weights)
    var best = weights
    var least = [Double](repeating: .infinity, count: limits.count)
    for step in 0..<max(1, Int(largestShrink * Double(stepCount))) {
      let share = Float(1 - Double(step) / Double(stepCount))
      var candidate = weights
      metric.forEachGroup(weights) { group, range in
        let limit = limits[group] * share
        for index in range { candidate[index] = min(max(candidate[index], -limit), limit) }
      }
      var errors = try rounding.rounded(candidate).dequantized()
      for index in errors.indices { errors[index] -= weights[index] }
      let losses = metric.losses(errors)
      metric.forEachGroup(weights) { group, range in
        guard losses[group] < least[group] else { return }
        least[group] = losses[group]
        best.replaceSubrange(range, with: candidate[range])
      }
    }
    return best
  }
}

/// The blocks of the statistics that belong to single groups.
private struct GroupMetric: Sendable {
  private let columnCount: Int
  private let firstColumns: [Int]
  /// For each group of a row, `[length, length]`.
  private let blocks: [[Float]]

  init(_ statistics: LayerStatistics, _ shape: RowShape) {
    columnCount = shape.columnCount
    firstColumns = shape.firstColumns.map { Int($0) }
    let count = shape.columnCount
    blocks = zip(firstColumns, firstColumns.dropFirst()).map { first, end in
      (first..<end).flatMap { row in statistics.hessian[row * count + first..<row * count + end] }
    }
  }

  /// Calls `body` with each group of some rows and the places of its elements.
  func forEachGroup(_ rows: [Float], _ body: (_ group: Int, _ range: Range<Int>) -> Void) {
    var group = 0
    for row in stride(from: 0, to: rows.count, by: max(columnCount, 1)) {
      for (first, end) in zip(firstColumns, firstColumns.dropFirst()) {
        body(group, row + first..<row + end)
        group += 1
      }
    }
  }

  /// The largest |w| of each group.
  func largestMagnitudes(_ weights: [Float]) -> [Float] {
    var largest: [Float] = []
    forEachGroup(weights) { _, range in
      largest.append(weights[range].reduce(0) { max($0, abs($1)) })
    }
    return largest
  }

  /// e H eᵀ of each group's errors e with its block of the statistics.
  func losses(_ errors: [Float]) -> [Double] {
    let rowCount = columnCount > 0 ? errors.count / columnCount : 0
    var losses = [Double](repeating: 0, count: rowCount * blocks.count)
    for (place, block) in blocks.enumerated() {
      let first = firstColumns[place]
      let length = firstColumns[place + 1] - first
      let part = (0..<rowCount).flatMap { row in
        errors[row * columnCount + first..<row * columnCount + first + length]
      }
      var products = [Float](repeating: 0, count: part.count)
      products.withUnsafeMutableBufferPointer { products in
        part.withUnsafeBufferPointer { part in
          guard let x = part.baseAddress, let y = products.baseAddress else { return }
          MatrixProduct.multiplyByLibrary(
            x, count: rowCount, block, rowCount: length, columnCount: length, into: y,
            yStride: length)
          for row in 0..<rowCount {
            losses[row * blocks.count + place] = OutputErrors.dot(
              x + row * length, y + row * length, length)
          }
        }
      }
    }
    return losses
  }
}
