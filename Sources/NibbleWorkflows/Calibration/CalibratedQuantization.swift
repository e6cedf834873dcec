internal import Foundation
public import NibbleCheckpoints
internal import NibbleModels
public import NibbleQuantization
internal import NibbleTensors

/// How a model is quantized with text: what runs through it, and what the text is used for.
public struct CalibratedQuantization: Sendable {
  /// What finds the codes of a layer.
  public enum Method: String, CaseIterable, Sendable {
    /// The search of each type, weighted by how large each input is on average.
    case imatrix
    /// Error feedback: each column makes up for the errors of those before it.
    case gptq
    /// Each weight to its nearest code; the text is for transforms and for ``clipping``.
    case rtn
  }

  /// Where the extremes of groups are cut before they are rounded (``ClipSearch``).
  public enum Clipping: Sendable {
    case none
    /// Where groups of a type have scales of their own.
    case wherePossible
    /// Everywhere; types whose groups have none are refused.
    case everywhere
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
  /// Where the text or the importance was read from, as the user wrote it; nil for what was never in a file.
  public var path: String?
  public var windows = CalibrationWindows()
  public var method = Method.gptq
  public var effort = Effort.normal
  /// With ``Method/gptq``: which columns are rounded first.
  public var order = ErrorFeedback.Order.descendingImportance
  /// With ``Method/rtn``: whether extremes are cut.
  public var clipping = Clipping.none
  /// Bytes of hidden states that are kept in memory; nil = a share of the machine's.
  public var memoryLimit: Int?
  /// Whether to go on where a run with the same settings was interrupted; otherwise what it left is discarded.
  public var isResuming = true

  public init() {}

  /// Importance that was measured before; no text is run then, and the method is ``Method/imatrix``.
  public var importance: ImportanceMatrix?

  /// Whether the codes of a layer are found with text.
  ///
  /// Queries and keys are never cut: what errors in them do to the attention's scores shows in no layer's output (as in the
  /// code of Lin et al. 2024).
  func findsCodes(of layer: TensorID, as type: StoredType) -> Bool {
    guard let scheme = type.scheme else { return false }
    guard method == .rtn else { return true }
    return clipping != .none && ClipSearch.obstacle(to: scheme) == nil
      && ![.query, .key, .queryKeyValue].contains(layer.role)
  }

  /// Quantizes the layers of `model`, with text run through it unless ``importance`` is there already.
  ///
  /// Text runs through the model as it was. Where layers are scaled, its statistics are turned into those of the scaled
  /// model, which computes the same. Blocks that are finished are kept in a journal beside `output`.
  func run(
    _ model: LanguageModel, _ layers: CalibratedLayers, scaling: ChannelScaling, output: String,
    _ environment: JobEnvironment
  ) throws -> CalibrationSummary {
    let pool = WorkerPool(threadCount: environment.threadCount)
    layers.log = environment.log
    if let importance { return try search(model, layers, importance, pool) }
    let streams: CalibrationPass.Streams =
      method != .gptq ? .observing : effort == .fast ? .replaced : .both
    let pass = try pass(
      model, statistics: method == .imatrix ? [] : .secondMoments, streams: streams,
      spillFolder: URL(filePath: output).deletingLastPathComponent().path)
    layers.journal = try CalibrationJournal(
      for: output, plan: JournalPlan(self, model, windows: pass.windows, tasks: layers.tasks),
      blockCount: model.config.blockCount, isResuming: isResuming)
    if let count = layers.journal?.takenCount, count > 0 {
      environment.log?.write("resumed", ["blocks": .integer(Int64(count))])
    }
    return try pass.run(environment, keeper: layers) { statistics in
      let find = try layerMethod(statistics.scaled(by: scaling), pool)
      var replaced: [TensorID: ReplacementWeights] = [:]
      for layer in statistics.stage.layers {
        replaced[layer] = try layers.quantize(
          layer, of: model, tokenCount: statistics.tokenCount, find)
      }
      return replaced
    }
  }

  /// A pass of the text through `model`.
  func pass(
    _ model: LanguageModel, statistics: CalibrationStatistics, streams: CalibrationPass.Streams,
    spillFolder: String
  ) throws -> CalibrationPass {
    let windows = try windows.cut(text ?? .builtIn, for: model)
    var options = CalibrationPass.Options()
    options.statistics = statistics
    options.streams = streams
    if let memoryLimit { options.memoryLimit = memoryLimit }
    options.spillFolder = spillFolder
    return CalibrationPass(model: model, windows: windows, options: options)
  }

  /// What finds the codes of the layers of a stage.
  private func layerMethod(
    _ statistics: InputStatistics, _ pool: WorkerPool
  ) throws -> CalibratedLayers.Method {
    // An expert that saw no text has no statistics; its weights count alike.
    guard method != .imatrix, statistics.tokenCount > 0, let hessian = statistics.hessian else {
      let importance =
        statistics.tokenCount > 0
        ? statistics.importance.map { Float($0) }
        : [Float](repeating: 1, count: statistics.columnCount)
      return searchMethod(importance, pool)
    }
    let moments = try LayerStatistics(
      columnCount: statistics.columnCount, tokenCount: statistics.tokenCount, hessian: hessian,
      change: statistics.change)
    if method == .rtn {
      return { (values, rowCount, columnCount, scheme) throws(QuantizationError) in
        try ClipSearch().quantize(
          values, rowCount: rowCount, columnCount: columnCount, as: scheme, statistics: moments,
          pool: pool)
      }
    }
    let feedback = errorFeedback
    return { (values, rowCount, columnCount, scheme) throws(QuantizationError) in
      try feedback.quantize(
        values, rowCount: rowCount, columnCount: columnCount, as: scheme, statistics: moments,
        pool: pool)
    }
  }

  private func searchMethod(_ importance: [Float], _ pool: WorkerPool) -> CalibratedLayers.Method {
    { (values, rowCount, columnCount, scheme) throws(QuantizationError) in
      try ImportanceSearch().quantize(
        values, rowCount: rowCount, columnCount: columnCount, as: scheme, importance: importance,
        pool: pool)
    }
  }

  /// Searches all layers with importance that was measured before.
  private func search(
    _ model: LanguageModel, _ layers: CalibratedLayers, _ importance: ImportanceMatrix,
    _ pool: WorkerPool
  ) throws -> CalibrationSummary {
    let start = ContinuousClock.now
    let names = Dictionary(
      model.source.mapped(to: .gguf).map { ($0.id.ofAllExperts, $0.name) },
      uniquingKeysWith: { first, _ in first })
    let entries = Dictionary(
      importance.entries.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for layer in layers.ids {
      let name = names[layer.ofAllExperts] ?? ""
      guard let entry = entries[name], (layer.expert ?? 0) < entry.layerCount else {
        throw ModelError(.missing, "the importance matrix has nothing for \(name)")
      }
      let find = searchMethod(entry.importance(layer: layer.expert ?? 0), pool)
      _ = try layers.quantize(layer, of: model, tokenCount: nil, find)
    }
    return CalibrationSummary(
      windowCount: importance.windowCount,
      tokenCount: importance.windowCount * importance.windowTokenCount, stageCount: 0,
      layerCount: layers.ids.count, expertTokenCounts: [:],
      seconds: (ContinuousClock.now - start) / .seconds(1), keptByteCount: 0, spilledByteCount: 0)
  }

  /// All numbers that the methods go by.
  var settings: String { "\(errorFeedback) \(ImportanceSearch()) \(clipping)" }

  private var errorFeedback: ErrorFeedback {
    var feedback = ErrorFeedback()
    feedback.order = order
    switch effort {
    case .fast: feedback.refinementRounds = 0
    case .normal: break
    case .best: feedback.refinementRounds = 6
    }
    return feedback
  }
}
