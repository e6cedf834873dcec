/// What a linear layer's inputs look like: their second moments over calibration tokens.
///
/// With X̂ the inputs that the layer will receive, one row a token, `hessian` is the mean of x̂ᵀx̂: half the Hessian of
/// the layer's mean square output error (Frantar et al. 2022, arXiv:2210.17323, section 3). Where earlier layers are
/// quantized already, X̂ differs from the inputs X of the full-precision model, and `cross` tells how.
public struct LayerStatistics: Sendable {
  /// Input features.
  public let columnCount: Int
  /// Tokens that the means were taken over.
  public let tokenCount: Int
  /// `[columnCount, columnCount]`, row-major and symmetric: the mean of x̂ᵀx̂.
  public let hessian: [Float]
  /// `[columnCount, columnCount]`: the mean of xᵀx̂; nil where both inputs are the same.
  public let cross: [Float]?
  /// `[rows, columnCount]`: the mean of tᵀx̂, t the outputs that the layer should give; nil where these are the outputs of
  /// its own weights, for the inputs that ``cross`` tells of.
  public let target: [Float]?

  /// Checks the counts and that every number is finite.
  ///
  /// - Throws: ``QuantizationError`` when a count does not fit, a number is NaN or infinite, or the diagonal is negative.
  public init(
    columnCount: Int, tokenCount: Int, hessian: [Float], cross: [Float]? = nil,
    target: [Float]? = nil
  ) throws(QuantizationError) {
    let (count, overflow) = columnCount.multipliedReportingOverflow(by: columnCount)
    guard columnCount >= 0, !overflow, hessian.count == count,
      cross.map({ $0.count == count }) ?? true,
      target.map({ $0.count.isMultiple(of: max(columnCount, 1)) }) ?? true
    else {
      throw QuantizationError(.shape, "statistics do not fit \(columnCount) columns")
    }
    guard hessian.allSatisfy(\.isFinite), cross?.allSatisfy(\.isFinite) ?? true,
      target?.allSatisfy(\.isFinite) ?? true
    else {
      throw QuantizationError(.invalidValue, "statistics hold NaN or infinity")
    }
    for column in 0..<columnCount where hessian[column * (columnCount + 1)] < 0 {
      throw QuantizationError(.invalidValue, "the statistics of column \(column) are negative")
    }
    self.columnCount = columnCount
    self.tokenCount = tokenCount
    self.hessian = hessian
    self.cross = cross
    self.target = target
  }

  /// The mean square of each input: what a column's rounding error costs on its own.
  public var importance: [Float] { (0..<columnCount).map { hessian[$0 * (columnCount + 1)] } }
}
