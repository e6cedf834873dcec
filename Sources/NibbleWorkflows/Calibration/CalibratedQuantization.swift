internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleQuantization
internal import NibbleTensors

/// How a model is quantized with text: what runs through it, and what the text is used for.
public struct CalibratedQuantization: Sendable {
  /// What finds the codes of a layer.
  public enum Method: String, CaseIterable, Sendable {
    /// The search of each type, weighted by how large each input is on average.
    case imatrix
    /// Error feedback: each column makes up for the errors of those before it.
    case gptq
  }

  /// How much time may be spent.
  public enum Effort: String, CaseIterable, Sendable {
    /// One stream of hidden states, one sweep.
    case fast
    /// Two streams, whose difference is made up for, and rounds of refinement.
    case normal
    /// More rounds.
    case best
  }

  /// What to run through the model; nil takes the text that comes with Nibble.
  public var text: CalibrationText?
  public var windows = CalibrationWindows()
  public var method = Method.gptq
  public var effort = Effort.normal
  /// Bytes of hidden states that are kept in memory; nil = a share of the machine's.
  public var memoryLimit: Int?

  public init() {}

  /// Runs the text through `model` and quantizes the layers on the way.
  func run(
    _ model: LanguageModel, _ layers: CalibratedLayers, spillFolder: String,
    _ environment: JobEnvironment
  ) throws -> CalibrationSummary {
    let windows = try windows.cut(text ?? .builtIn, for: model)
    var options = CalibrationPass.Options()
    options.statistics = method == .gptq ? .secondMoments : []
    options.streams = method == .imatrix ? .observing : effort == .fast ? .replaced : .both
    if let memoryLimit { options.memoryLimit = memoryLimit }
    options.spillFolder = spillFolder
    let pool = WorkerPool(threadCount: environment.threadCount)
    let feedback = errorFeedback
    return try CalibrationPass(model: model, windows: windows, options: options)
      .run(environment) { statistics in
        var replaced: [TensorID: ReplacementWeights] = [:]
        let layerStatistics = try LayerStatistics(statistics)
        for layer in statistics.stage.layers {
          replaced[layer] = try layers.quantize(layer, of: model) {
            (values, rowCount, columnCount, scheme) throws(QuantizationError) in
            try feedback.quantize(
              values, rowCount: rowCount, columnCount: columnCount, as: scheme,
              statistics: layerStatistics, pool: pool)
          }
        }
        return replaced
      }
  }

  private var errorFeedback: ErrorFeedback {
    var feedback = ErrorFeedback()
    switch effort {
    case .fast: feedback.refinementRounds = 0
    case .normal: break
    case .best: feedback.refinementRounds = 6
    }
    return feedback
  }
}

extension LayerStatistics {
  /// The statistics of a stage that saw tokens.
  fileprivate init(_ statistics: InputStatistics) throws {
    let count = statistics.columnCount
    var hessian = statistics.hessian ?? []
    if hessian.isEmpty {
      hessian = [Float](repeating: 0, count: count * count)
      for (column, value) in statistics.importance.enumerated() {
        hessian[column * (count + 1)] = Float(value)
      }
    }
    try self.init(
      columnCount: count, tokenCount: statistics.tokenCount, hessian: hessian,
      cross: statistics.cross)
  }
}
