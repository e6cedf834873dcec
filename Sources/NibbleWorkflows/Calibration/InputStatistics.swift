public import NibbleModels
public import NibbleQuantization

/// What to measure of the inputs of layers. Square sums and token counts are always measured.
public struct CalibrationStatistics: OptionSet, Sendable {
  public let rawValue: Int

  public init(rawValue: Int) { self.rawValue = rawValue }

  /// XᵀX, and XᵀX̂ where two streams are run.
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
  public internal(set) var hessian: [Float]?
  /// The mean of XᵀX̂ over tokens, `[columns, columns]`, X the inputs that the model's own weights give; nil where they are the
  /// same or were not run.
  public internal(set) var cross: [Float]?
  /// The mean of TᵀX̂ over tokens, `[rows, columns]`: T what the stage's layer must give so that the residual stream it adds to
  /// becomes that of the model's own weights; nil for layers that add to none, and where one stream only was run.
  public internal(set) var target: [Float]?
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
