internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleQuantization
internal import NibbleTensors

/// Runs text through a model and chooses the scales of all its groups.
struct ScalingSearch {
  let model: LanguageModel
  /// The output's tensors.
  let tasks: [TensorTask]
  /// The text, and which way of rounding follows.
  let calibration: CalibratedQuantization

  /// Rows of a layer that stand for all of them, at most.
  static let sampleRowCount = 512

  /// Where each tensor's task stands.
  private let places: [TensorID: Int]

  init(model: LanguageModel, tasks: [TensorTask], calibration: CalibratedQuantization) {
    self.model = model
    self.tasks = tasks
    self.calibration = calibration
    places = Dictionary(
      tasks.indices.compactMap { index in tasks[index].id.map { ($0, index) } },
      uniquingKeysWith: { first, _ in first })
  }

  /// Chooses the scales.
  ///
  /// - Parameters:
  ///   - spillFolder: where hidden states are kept that do not fit into memory.
  ///   - environment: threads, progress and a way to stop it.
  /// - Returns: the factors, and what was found.
  /// - Throws: `ModelError` for texts and models that cannot be run, ``RecipeError`` when nothing could be scaled,
  ///   `JobCancelled`.
  func run(
    spillFolder: String, _ environment: JobEnvironment
  ) throws -> (ChannelScaling, ScalingReport) {
    let groups = try self.groups()
    guard !groups.isEmpty else {
      throw RecipeError(
        "--transform awq: no layer is quantized whose inputs can be scaled without changing the model"
      )
    }
    let pool = WorkerPool(threadCount: environment.threadCount)
    var scaling = ChannelScaling()
    var reports: [ScaledGroupReport] = []
    let summary = try calibration.pass(
      model, statistics: [.secondMoments, .magnitudes], streams: .observing,
      spillFolder: spillFolder
    ).run(environment) { statistics in
      for group in groups[statistics.stage.block] ?? []
      where statistics.stage.layers.contains(group.consumers[0]) {
        guard let choice = try choose(group, statistics, pool) else { continue }
        if choice.ratio > 0 { try scaling.scale(group, by: choice.scales, of: model.source) }
        reports.append(
          ScaledGroupReport(
            producer: task(group.producer)?.name ?? group.producer.role.rawValue,
            expert: group.producer.expert, ratio: choice.ratio, lossBefore: choice.lossBefore,
            lossAfter: choice.lossAfter))
      }
      return [:]
    }
    return (scaling, ScalingReport(summary: summary, groups: reports))
  }

  /// The groups of each block that lead to quantized layers, and none of whose matrices is to stay as it is.
  private func groups() throws(ModelError) -> [Int: [BlockScalingGroup]] {
    var groups: [Int: [BlockScalingGroup]] = [:]
    for block in 0..<model.config.blockCount {
      let usable = try model.source.scalingGroups(ofBlock: block).filter { group in
        let tasks = ([group.producer] + group.consumers).map(task)
        return tasks.allSatisfy { $0.map { $0.isSmall || $0.isRounded } ?? false }
          && group.consumers.contains { task($0)?.isRounded ?? false }
      }
      if !usable.isEmpty { groups[block] = usable }
    }
    return groups
  }

  /// The scales of a group; nil where the text says nothing about its inputs.
  private func choose(
    _ group: BlockScalingGroup, _ statistics: InputStatistics, _ pool: WorkerPool
  ) throws -> ActivationAwareScaling.Choice? {
    guard statistics.tokenCount > 0, let hessian = statistics.hessian,
      let magnitudes = statistics.meanMagnitudes
    else { return nil }
    let rounded = group.consumers.filter { task($0)?.isRounded ?? false }
    let limit = max(16, min(Self.sampleRowCount, 4 * Self.sampleRowCount / max(rounded.count, 1)))
    let layers = rounded.compactMap { id -> ActivationAwareScaling.Layer? in
      guard let task = task(id), let scheme = task.type.scheme,
        let sample = model.weightValues(of: id, rows: { Self.sample(of: $0, limit) })
      else { return nil }
      let sampleCount = sample.values.count / max(statistics.columnCount, 1)
      return ActivationAwareScaling.Layer(
        weights: sample.values, rowShare: Double(sample.rowCount) / Double(max(sampleCount, 1)),
        scheme: scheme, method: task.method)
    }
    var search = ActivationAwareScaling()
    search.weighsErrors = calibration.method != .rtn
    do {
      return try search.search(
        layers, magnitudes: magnitudes, hessian: hessian, channels: group.producerRows, pool: pool)
    } catch {
      throw CheckpointError(
        .invalidValue, error.message, tensor: task(group.consumers[0])?.name ?? "")
    }
  }

  /// At most `limit` rows, spread evenly.
  private static func sample(of rowCount: Int, _ limit: Int) -> [Int] {
    let count = min(rowCount, limit)
    return (0..<count).map { $0 * rowCount / count }
  }

  /// The task that holds a tensor, perhaps among those of other experts.
  private func task(_ id: TensorID) -> TensorTask? {
    (places[id] ?? places[id.ofAllExperts]).map { tasks[$0] }
  }
}

extension TensorTask {
  /// Whether the output rounds the tensor to codes.
  fileprivate var isRounded: Bool { !isCopy && type.scheme != nil }
}
