/// What a linear layer's inputs look like: their second moments over calibration tokens.
///
/// With X̂ the inputs that the layer will receive, one row a token, `hessian` is the mean of x̂ᵀx̂: half the Hessian of
/// the layer's mean square output error (Frantar et al. 2022, arXiv:2210.17323, section 3). Where earlier layers are
/// quantized already, X̂ differs from the inputs X of the full-precision model, and `change` tells how.
public struct LayerStatistics: Sendable {
  /// What the layer should make up for, in two halves of the tokens that have nothing in common: what both agree on is no
  /// accident.
  public enum Change: Sendable {
    /// Inputs: `[columnCount, columnCount]`, the mean of (x - x̂)ᵀx̂.
    case inputs([Float], [Float])
    /// Outputs: `[rows, columnCount]`, the mean of dᵀx̂, d what the outputs of the layer's own weights lack.
    case outputs([Float], [Float])

    /// Both halves. Each is a sum over its tokens divided by the number of all, so that their sum is the mean.
    var halves: [[Float]] {
      switch self {
      case .inputs(let first, let second), .outputs(let first, let second): [first, second]
      }
    }
  }

  /// Input features.
  public let columnCount: Int
  /// Tokens that the means were taken over.
  public let tokenCount: Int
  /// `[columnCount, columnCount]`, row-major and symmetric: the mean of x̂ᵀx̂.
  public let hessian: [Float]
  /// What the layer should make up for; nil for nothing.
  public let change: Change?

  /// Checks the counts and that every number is finite.
  ///
  /// - Throws: ``QuantizationError`` when a count does not fit, a number is NaN or infinite, or the diagonal is negative.
  public init(
    columnCount: Int, tokenCount: Int, hessian: [Float], change: Change? = nil
  ) throws(QuantizationError) {
    let (count, overflow) = columnCount.multipliedReportingOverflow(by: columnCount)
    guard columnCount >= 0, !overflow, hessian.count == count,
      change.map({ Self.fits($0, columnCount) }) ?? true
    else {
      throw QuantizationError(.shape, "statistics do not fit \(columnCount) columns")
    }
    guard hessian.allSatisfy(\.isFinite),
      change?.halves.allSatisfy({ $0.allSatisfy(\.isFinite) }) ?? true
    else {
      throw QuantizationError(.invalidValue, "statistics hold NaN or infinity")
    }
    for column in 0..<columnCount where hessian[column * (columnCount + 1)] < 0 {
      throw QuantizationError(.invalidValue, "the statistics of column \(column) are negative")
    }
    self.columnCount = columnCount
    self.tokenCount = tokenCount
    self.hessian = hessian
    self.change = change
  }

  private static func fits(_ change: Change, _ columnCount: Int) -> Bool {
    switch change {
    case .inputs(let first, let second):
      first.count == columnCount * columnCount && second.count == first.count
    case .outputs(let first, let second):
      columnCount > 0 && first.count.isMultiple(of: columnCount) && second.count == first.count
    }
  }

  /// Whether there are tokens enough, twice as many as columns, to tell what the text does from what these tokens do.
  var isDetermined: Bool { tokenCount >= 2 * columnCount }

  /// - Throws: ``QuantizationError`` when the layer has another number of inputs.
  func requireColumns(_ count: Int) throws(QuantizationError) {
    guard columnCount == count else {
      throw QuantizationError(
        .shape, "statistics of \(columnCount) inputs for \(count) columns")
    }
  }

  /// The mean square of each input: what a column's rounding error costs on its own.
  public var importance: [Float] { (0..<columnCount).map { hessian[$0 * (columnCount + 1)] } }

  /// The statistics of the same inputs in another order.
  func gathered(in order: [Int32]) throws(QuantizationError) -> LayerStatistics {
    func both(_ matrix: [Float]) -> [Float] {
      let wide = matrix.gathered(in: order)
      return order.flatMap { wide[Int($0) * columnCount..<(Int($0) + 1) * columnCount] }
    }
    let moved: Change? =
      switch change {
      case .none: nil
      case .inputs(let first, let second): .inputs(both(first), both(second))
      case .outputs(let first, let second):
        .outputs(first.gathered(in: order), second.gathered(in: order))
      }
    return try LayerStatistics(
      columnCount: columnCount, tokenCount: tokenCount, hessian: both(hessian), change: moved)
  }
}
