internal import Foundation
public import NibbleModels
internal import NibbleTensors

/// Runs text through a model block by block and hands over what the inputs of all linear layers look like, stage by stage, so
/// that a method can quantize each layer while the run goes on with the result.
///
/// All windows pass one block before the next. Within a block, layers that share their input make a stage (query, key and
/// value; attention output; gate and up; down; each expert's), in the order in which the block uses them. Memory is one block's
/// activations, up to ``Options/memoryLimit`` and then on disk, and one stage's statistics.
///
/// The same bits come out for any thread count and any memory limit.
public struct CalibrationPass: Sendable {
  /// Which hidden states are run.
  public enum Streams: Sendable {
    /// Those of the model's own weights; nothing is replaced. The fastest.
    case observing
    /// Those of the weights replaced so far.
    case replaced
    /// Both, side by side: statistics then tell how they go together (``InputStatistics/cross``).
    case both
  }

  /// How the pass goes.
  public struct Options: Sendable {
    /// What to measure.
    public var statistics: CalibrationStatistics = []
    public var streams = Streams.observing
    /// Bytes of hidden states that are kept in memory.
    public var memoryLimit = CalibrationPass.defaultMemoryLimit
    /// Where the others are kept, in a file without a name.
    public var spillFolder = NSTemporaryDirectory()

    public init() {}
  }

  /// A quarter of the machine's memory.
  public static var defaultMemoryLimit: Int { Int(ProcessInfo.processInfo.physicalMemory / 4) }

  public let model: LanguageModel
  /// Token ids, as many in each.
  public let windows: [[Int]]
  public let options: Options

  /// - Parameters:
  ///   - model: the model to run.
  ///   - windows: token ids, as many in each (``CalibrationWindows``).
  ///   - options: how the pass goes.
  public init(model: LanguageModel, windows: [[Int]], options: Options = Options()) {
    self.model = model
    self.windows = windows
    self.options = options
  }

  /// Runs the pass.
  ///
  /// - Parameters:
  ///   - environment: threads, progress and a way to stop it.
  ///   - onStage: called with the statistics of each stage, in order; returns weights that replace those of the stage's layers
  ///     from here on, where ``Options/streams`` allows it.
  /// - Returns: what was run.
  /// - Throws: what `onStage` throws, `ModelError` for windows that the model cannot run, `FileError` when hidden states cannot
  ///   be kept on disk, `JobCancelled`.
  public func run(
    _ environment: JobEnvironment = JobEnvironment(),
    onStage: (InputStatistics) throws -> [TensorID: ReplacementWeights]
  ) throws -> CalibrationSummary {
    try run(environment, keeper: nil, onStage: onStage)
  }

  /// Runs the pass, but takes the blocks from `keeper` that it has, and hands it those that are finished.
  func run(
    _ environment: JobEnvironment, keeper: (any BlockKeeper)?,
    onStage: (InputStatistics) throws -> [TensorID: ReplacementWeights]
  ) throws -> CalibrationSummary {
    let start = ContinuousClock.now
    let pool = WorkerPool(threadCount: environment.threadCount)
    var plan = BlockwiseRun.Plan()
    plan.isReplacing = options.streams != .observing
    plan.keepsOriginal = options.streams != .replaced
    plan.memoryLimit = options.memoryLimit
    plan.spillFolder = options.spillFolder
    let run = try BlockwiseRun(
      model, windows: windows, plan: plan, pool: pool, cancellation: environment.cancellation)
    let tokenCount = windows.count * windows[0].count
    return try withoutActuallyEscaping(onStage) { onStage in
      let observer = StageObserver(options.statistics, pool, onStage)
      let knownCount = keeper?.finishedBlockCount ?? 0
      var expertTokenCounts: [Int: [Int]] = [:]
      for block in 0..<run.blockCount {
        if let keeper, block < knownCount {
          guard !environment.cancellation.isCancelled else { throw JobCancelled() }
          // Hidden states are for the blocks that follow.
          let isRun = knownCount < run.blockCount
          let known = try keeper.restore(block: block, decoding: isRun && plan.isReplacing)
          if isRun { _ = try run.runNextBlock(with: known.weights) }
          expertTokenCounts[block] = known.expertTokenCounts
        } else {
          _ = try run.runNextBlock(observer)
          expertTokenCounts[block] = run.expertTokenCounts[block]
          try keeper?.keep(expertTokenCounts: expertTokenCounts[block])
        }
        environment.progress.report(
          JobProgress(
            phase: "calibrating", completed: tokenCount * (block + 1) / run.blockCount,
            total: tokenCount, unit: .tokens))
      }
      return CalibrationSummary(
        windowCount: windows.count, tokenCount: tokenCount, stageCount: observer.stageCount,
        layerCount: observer.layerCount, expertTokenCounts: expertTokenCounts,
        seconds: (ContinuousClock.now - start) / .seconds(1), keptByteCount: run.keptByteCounts.all,
        spilledByteCount: run.keptByteCounts.file)
    }
  }
}

/// A block whose layers were quantized in an earlier run.
struct FinishedBlock {
  /// The weights that replaced the layers' own; none where they were not asked for.
  var weights: [TensorID: ReplacementWeights] = [:]
  /// For a mixture, the tokens that each expert saw.
  var expertTokenCounts: [Int]?
}

/// Keeps what a pass found for each block, so that another can go on after it.
protocol BlockKeeper: AnyObject {
  /// Blocks, from the first on, that are finished.
  var finishedBlockCount: Int { get }
  /// Reads what is kept of a finished block; each is asked for once, in order.
  ///
  /// - Parameters:
  ///   - block: the block's index.
  ///   - decoding: whether weights are wanted.
  /// - Returns: the block.
  /// - Throws: `CheckpointError` when it cannot be read or does not fit the model.
  func restore(block: Int, decoding: Bool) throws -> FinishedBlock
  /// Notes that the first block that was not finished is.
  func keep(expertTokenCounts: [Int]?) throws
}

/// What a calibration pass ran.
public struct CalibrationSummary: Sendable {
  public var windowCount: Int
  /// Tokens of all windows.
  public var tokenCount: Int
  /// Inputs that were measured; those of blocks that an interrupted run has finished are not among them.
  public var stageCount: Int
  /// Weight matrices that they feed.
  public var layerCount: Int
  /// For each block with a mixture, the tokens that each expert saw.
  public var expertTokenCounts: [Int: [Int]]
  public var seconds: Double
  /// The most bytes of hidden states that were kept at a time.
  public var keptByteCount: Int
  /// The most of these that lay on disk.
  public var spilledByteCount: Int
}

/// Takes the rows of all stages to their accumulators.
private final class StageObserver: CalibrationObserver {
  private(set) var stageCount = 0
  private(set) var layerCount = 0
  private let statistics: CalibrationStatistics
  private let pool: WorkerPool
  private let onStage: (InputStatistics) throws -> [TensorID: ReplacementWeights]
  private var accumulators: [CalibrationStage: StageAccumulator] = [:]

  init(
    _ statistics: CalibrationStatistics, _ pool: WorkerPool,
    _ onStage: @escaping (InputStatistics) throws -> [TensorID: ReplacementWeights]
  ) {
    self.statistics = statistics
    self.pool = pool
    self.onStage = onStage
  }

  func observe(_ rows: StageRows) {
    accumulator(rows.stage).observe(rows)
  }

  func finish(_ stage: CalibrationStage) throws -> [TensorID: ReplacementWeights] {
    let result = accumulator(stage).finish()
    accumulators[stage] = nil
    stageCount += 1
    layerCount += stage.layers.count
    return try onStage(result)
  }

  private func accumulator(_ stage: CalibrationStage) -> StageAccumulator {
    if let known = accumulators[stage] { return known }
    let new = StageAccumulator(stage, statistics, pool)
    accumulators[stage] = new
    return new
  }
}
