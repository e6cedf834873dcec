public import NibbleModels
public import NibbleQuantization

/// What to measure of the inputs of layers. Square sums and token counts are always measured.
public struct CalibrationStatistics: OptionSet, Sendable {
  public let rawValue: Int

  public init(rawValue: Int) { self.rawValue = rawValue }

  /// XᵀX, and where two streams are run what the layers should make up for.
  public static let secondMoments = CalibrationStatistics(rawValue: 1)
  /// The mean and the maximum of |x| for each feature.
  public static let magnitudes = CalibrationStatistics(rawValue: 2)
  /// How often which values occur, over all features.
  public static let histogram = CalibrationStatistics(rawValue: 4)
}

/// What the inputs of a stage's layers look like.
///
/// Where weights were replaced before the stage, these are the inputs X̂ that the model being made sees.
public struct InputStatistics: Sendable {
  /// The layers that share the input.
  public let stage: CalibrationStage
  /// Tokens that were seen.
  public internal(set) var tokenCount = 0
  /// Σ x² for each feature.
  public internal(set) var squareSums: [Double]
  /// The mean of X̂ᵀX̂ over tokens, `[columns, columns]`, symmetric; nil where it was not asked for.
  ///
  /// For layers that add to the residual stream, in runs of both streams, tokens count by 1 / mean r², r what that stream should
  /// become: norms divide all errors of a token by its size, so that those of a few tokens with huge values (Sun et al. 2024,
  /// arXiv:2402.17762) matter least.
  public internal(set) var hessian: [Float]?
  /// What the stage's layers should make up for, once weights were replaced before it and both streams are run: how the inputs
  /// have changed, or for a layer that adds to the residual stream what its outputs lack for that to be as it was.
  public internal(set) var change: LayerStatistics.Change?
  /// The mean of |x| for each feature; nil where it was not asked for.
  public internal(set) var meanMagnitudes: [Double]?
  /// The maximum of |x| for each feature; nil where it was not asked for.
  public internal(set) var largestMagnitudes: [Float]?
  /// The distribution of all values; nil where it was not asked for.
  public internal(set) var histogram: Histogram?

  init(_ stage: CalibrationStage) {
    self.stage = stage
    squareSums = [Double](repeating: 0, count: stage.columnCount)
  }

  /// Input features.
  public var columnCount: Int { stage.columnCount }
  /// The mean of x² for each feature; zeros where no token was seen.
  public var importance: [Double] {
    squareSums.map { tokenCount > 0 ? $0 / Double(tokenCount) : 0 }
  }
}
