internal import NibbleCheckpoints
internal import NibbleModels
public import NibbleTensors
internal import Synchronization

/// Looks into a checkpoint of any format: sizes, memory, and what the values of each tensor look like.
///
/// Tensors are read one after another, a few rows at a time on all threads, so that memory does not grow with the model.
public struct ModelInspector: Sendable {
  /// What to look into.
  public struct Options: Sendable {
    /// Positions of the key-value cache; nil = as many as the model was trained for.
    public var contextCount: Int?
    /// The only tensor whose values are read; nil = all.
    public var tensor: String?

    public init() {}
  }

  private let loop: ChunkLoop

  public init(pool: WorkerPool, cancellation: CancellationFlag = CancellationFlag()) {
    loop = ChunkLoop(pool: pool, cancellation: cancellation)
  }

  /// Inspects the model at `path`: a Hugging Face folder, a `.safetensors` file or a `.gguf` file.
  ///
  /// - Parameters:
  ///   - path: the model.
  ///   - options: what to look into.
  ///   - onProgress: called with the bytes read and the bytes to read, from any thread.
  /// - Returns: what was found; only tensors whose values were read have statistics.
  /// - Throws: `CheckpointError` when files cannot be read, ``ModelError/Code/request`` when there is no tensor of the
  ///   name asked for, ``JobCancelled``. Unknown architectures and types are no errors.
  public func inspect(
    _ path: String, options: Options = Options(),
    onProgress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
  ) throws -> ModelInspection {
    let model = try OpenedModel(path)
    let records = model.checkpoint.tensors
    if let name = options.tensor, model.checkpoint[name] == nil {
      throw ModelError(.request, "there is no tensor \"\(name)\"", file: path)
    }
    let isWanted = { (record: TensorRecord) in record.name == options.tensor ?? record.name }
    let meter = ByteMeter(
      total: records.filter(isWanted).reduce(0) { $0 + $1.byteCount }, onProgress)
    let ids = model.ids
    var summary = InspectionSummary()
    var tensors: [TensorInspection] = []
    for record in records {
      let id = ids[record.name]
      var tensor = TensorInspection(
        name: record.name, shape: record.shape, type: record.type.name,
        role: id.map(WeightRole.init) ?? .other,
        block: id.map(\.block) ?? blockIndex(inName: record.name),
        parameterCount: record.elementCount, byteCount: record.byteCount)
      if isWanted(record) {
        let finding = try TensorScan(record).run(loop, onBytes: meter.add)
        tensor.statistics = finding?.statistics
        if let finding { summary.add(tensor, finding) }
      }
      tensors.append(tensor)
    }
    return report(model, tensors, summary, options)
  }

  private func report(
    _ model: OpenedModel, _ tensors: [TensorInspection], _ summary: InspectionSummary,
    _ options: Options
  ) -> ModelInspection {
    let matrixCount = tensors.filter { $0.shape.count > 1 }.reduce(0) { $0 + $1.parameterCount }
    let parameterCount = tensors.reduce(0) { $0 + $1.parameterCount }
    let config = model.config
    var annotations = ModelAnnotations()
    var notes = model.notes
    do {
      annotations = try model.checkpoint.annotations()
    } catch {
      notes.append("what the files say of how they were made cannot be read: \(error.message)")
    }
    return ModelInspection(
      path: model.checkpoint.path, format: model.checkpoint.format.rawValue,
      architecture: model.architectureName, config: config, tensors: tensors,
      types: shares(tensors, \.type).sorted { ($1.byteCount, $0.name) < ($0.byteCount, $1.name) },
      roles: WeightRole.allCases.flatMap { role in
        shares(tensors.filter { $0.role == role }, \.role.rawValue)
      },
      roleStatistics: summary.roles, blocks: summary.blocks,
      memory: MemoryEstimate.all(
        storedByteCount: tensors.reduce(0) { $0 + $1.byteCount }, matrixCount: matrixCount,
        vectorCount: parameterCount - matrixCount),
      cache: config.map {
        CacheEstimate($0, contextCount: options.contextCount ?? $0.contextCount)
      },
      annotations: annotations, notes: notes + tensors.compactMap(note))
  }

  /// Sizes by what `key` says, in the order of first appearance.
  private func shares(
    _ tensors: [TensorInspection], _ key: KeyPath<TensorInspection, String>
  ) -> [SizeShare] {
    var shares: [SizeShare] = []
    var places: [String: Int] = [:]
    for tensor in tensors {
      let name = tensor[keyPath: key]
      let place = places[name] ?? shares.count
      if place == shares.count {
        shares.append(SizeShare(name: name))
        places[name] = place
      }
      shares[place].add(tensor)
    }
    return shares
  }

  private func note(_ tensor: TensorInspection) -> String? {
    guard let statistics = tensor.statistics, let place = statistics.firstNonFinite else {
      return nil
    }
    return "\(tensor.name) holds \(statistics.notANumberCount) NaN and "
      + "\(statistics.infinityCount) infinite values, the first at row \(place.row), "
      + "column \(place.column)"
  }
}

/// Adds up the bytes that threads have read and reports the sum.
final class ByteMeter: Sendable {
  private let total: Int
  private let report: @Sendable (Int, Int) -> Void
  private let done = Mutex(0)

  init(total: Int, _ report: @escaping @Sendable (Int, Int) -> Void) {
    self.total = total
    self.report = report
  }

  @Sendable func add(_ byteCount: Int) {
    // Reporting under the lock keeps the reported sums ascending.
    done.withLock { sum in
      sum += byteCount
      report(sum, total)
    }
  }
}
