public import NibbleQuantization

/// All that decides the bytes of a job's output beside its inputs; what they do not depend on (threads, memory, paths, logs) is
/// no part of it. Jobs are turned into recipes and recipes into jobs here alone.
public enum Recipe: Sendable, Equatable {
  case quantize(QuantizeRecipe)
  case convert(ConvertRecipe)

  /// How the output is written.
  public var format: OutputFormat {
    switch self {
    case .quantize(let recipe): recipe.format
    case .convert(let recipe): recipe.format
    }
  }
}

/// What ``QuantizeJob`` does with a model.
public struct QuantizeRecipe: Sendable, Equatable {
  public var selection: TypeSelection
  public var format: OutputFormat
  /// The range estimator's name; nil takes each type's own way.
  public var range: String?
  public var findsExactMeans = false
  public var transforms: [ModelTransform] = []
  public var allowsRequantizing = false
  /// Whether weights that lie on a grid get the codes that they were decoded from.
  public var recoversGrids = false
  /// How text is used; nil where none is.
  public var calibration: CalibrationRecipe?

  public init(selection: TypeSelection, format: OutputFormat) {
    self.selection = selection
    self.format = format
  }
}

/// What ``CalibratedQuantization`` does with its text.
public struct CalibrationRecipe: Sendable, Equatable {
  public var method: CalibratedQuantization.Method
  public var effort: CalibratedQuantization.Effort
  public var order: ErrorFeedback.Order
  public var clipping: CalibratedQuantization.Clipping
  /// The most windows to take.
  public var windowLimit: Int
  /// Tokens of a window.
  public var windowTokenCount: Int
  /// Draws where the first window begins; nil begins with the text.
  public var seed: UInt64?

  public init(_ calibration: CalibratedQuantization) {
    method = calibration.method
    effort = calibration.effort
    order = calibration.order
    clipping = calibration.clipping
    windowLimit = calibration.windows.limit
    windowTokenCount = calibration.windows.tokenCount
    seed = calibration.windows.seed
  }

  /// The same settings, without a text.
  public var calibratedQuantization: CalibratedQuantization {
    var calibration = CalibratedQuantization()
    calibration.method = method
    calibration.effort = effort
    calibration.order = order
    calibration.clipping = clipping
    calibration.windows.limit = windowLimit
    calibration.windows.tokenCount = windowTokenCount
    calibration.windows.seed = seed
    return calibration
  }
}

/// What ``ConvertJob`` does with a model.
public struct ConvertRecipe: Sendable, Equatable {
  public var format: OutputFormat
  /// F32, F16 or BF16 for every matrix; nil keeps types.
  public var floatType: GGMLType?
  public var allowsRequantizing = false
  /// Whether float matrices that lie on a grid are stored as codes.
  public var recoversGrids = false
  /// The grids to look for; none stands for the usual ones.
  public var grids: [Scheme] = []
  public var maximumShardByteCount: Int

  public init(format: OutputFormat, maximumShardByteCount: Int = 5_000_000_000) {
    self.format = format
    self.maximumShardByteCount = maximumShardByteCount
  }
}

extension QuantizeJob {
  /// The job's recipe.
  public var recipe: QuantizeRecipe {
    var recipe = QuantizeRecipe(selection: selection, format: chosenFormat)
    recipe.range = range?.name
    recipe.findsExactMeans = findsExactMeans
    recipe.transforms = transforms
    recipe.allowsRequantizing = allowsRequantizing
    recipe.recoversGrids = recoversGrids
    recipe.calibration = calibration.map { CalibrationRecipe($0) }
    return recipe
  }

  /// The job that follows a recipe; the text, where it needs one, is still to be given.
  public init(_ recipe: QuantizeRecipe, source: String, output: String) {
    self.init(source: source, output: output, selection: recipe.selection)
    format = recipe.format
    range = recipe.range.flatMap { RangeRegistry.find($0) }
    findsExactMeans = recipe.findsExactMeans
    transforms = recipe.transforms
    allowsRequantizing = recipe.allowsRequantizing
    recoversGrids = recipe.recoversGrids
    calibration = recipe.calibration?.calibratedQuantization
  }
}

extension ConvertJob {
  /// The job's recipe.
  public var recipe: ConvertRecipe {
    var recipe = ConvertRecipe(format: format, maximumShardByteCount: maximumShardByteCount)
    recipe.floatType = floatType
    recipe.allowsRequantizing = allowsRequantizing
    recipe.recoversGrids = recoversGrids
    recipe.grids = grids
    return recipe
  }

  /// The job that follows a recipe.
  public init(_ recipe: ConvertRecipe, source: String, output: String) {
    self.init(source: source, output: output, format: recipe.format)
    floatType = recipe.floatType
    allowsRequantizing = recipe.allowsRequantizing
    recoversGrids = recipe.recoversGrids
    grids = recipe.grids
    maximumShardByteCount = recipe.maximumShardByteCount
  }
}
