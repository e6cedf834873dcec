internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleQuantization
internal import NibbleTensors
internal import Synchronization

/// Looks for the scheme on whose grid each float matrix of a conversion lies.
struct GridCandidates {
  let format: OutputFormat
  let folderFormat: (any FolderFormat)?
  /// Schemes to look for, the most wanted first.
  let schemes: [Scheme]
  let environment: JobEnvironment

  /// Schemes that hold the sampled rows of a tensor but not all of it, at most; each costs a pass over the tensor.
  private static let triedCount = 8

  /// The tasks of a conversion, those of matrices on a grid with the first scheme that holds them.
  ///
  /// - Parameters:
  ///   - tasks: what becomes of the tensors otherwise.
  ///   - tensors: the tensors of the first tasks, in their order.
  /// - Returns: as many tasks, in the same order.
  /// - Throws: `CheckpointError` for sources that cannot be read, ``JobCancelled``.
  func recovered(_ tasks: [TensorTask], of tensors: [MappedTensor]) throws -> [TensorTask] {
    var tasks = tasks
    let places = tensors.indices.filter { isMatrix(tensors[$0], tasks[$0]) }
    let candidates = Mutex([[TensorTask]](repeating: [], count: places.count))
    try environment.chunkLoop().run(places.count) { index, scratch in
      let found = try sampled(tensors[places[index]], scratch)
      candidates.withLock { $0[index] = found }
    }
    let found = candidates.withLock { $0 }
    var open = Array(places.indices)
    for round in 0..<Self.triedCount {
      open = open.filter { round < found[$0].count }
      let tried = open.map { found[$0][round] }
      guard !tried.isEmpty else { break }
      let findings = try GridSurvey(environment: environment).findings(tried)
      var rest: [Int] = []
      for (index, (var task, finding)) in zip(open, zip(tried, findings)) {
        guard finding.isExact else {
          rest.append(index)
          continue
        }
        task.take(finding)
        tasks[places[index]] = task
      }
      open = rest
    }
    return tasks
  }

  /// Whether a tensor may be stored as codes where it is not yet.
  private func isMatrix(_ tensor: MappedTensor, _ task: TensorTask) -> Bool {
    guard tensor.shape.count == 2, tensor.id.part == .weight, !isSmall(tensor),
      !task.type.isQuantized, task.factors == nil
    else { return false }
    // Other tools expect these as floats.
    let isOutside = [.tokenEmbedding, .output].contains(tensor.id.role)
    return folderFormat == nil || !isOutside
  }

  /// A task for each scheme on whose grid some rows of a tensor lie.
  private func sampled(
    _ tensor: MappedTensor, _ scratch: Scratch
  ) throws(CheckpointError) -> [TensorTask] {
    var found: [TensorTask] = []
    for scheme in schemes {
      guard found.count < Self.triedCount else { break }
      guard let task = task(tensor, as: scheme), task.gridRecovery != nil else { continue }
      guard scheme.isRowLocal else {
        found.append(task)
        continue
      }
      let count = task.rowCount
      guard count > 0 else { return [] }
      var isExact = true
      var isZero = true
      for row in Set([0, count / 3, 2 * count / 3, count - 1]).sorted() where isExact {
        isExact = try task.gridFinding(row..<row + 1, scratch).isExact
        let values = try task.sourceValues(row..<row + 1, scratch)
        if values.contains(where: { $0 != 0 }) { isZero = false }
      }
      // Zeros lie on every grid, and say nothing of the rows between.
      if isZero { return [] }
      if isExact { found.append(task) }
    }
    return found
  }

  /// The task that stores a tensor as a scheme; nil where the format cannot.
  private func task(_ tensor: MappedTensor, as scheme: Scheme) -> TensorTask? {
    let columnCount = tensor.shape.last ?? 1
    guard columnCount % scheme.granularity.columnMultiple == 0 else { return nil }
    if format == .gguf {
      guard let type = GGMLType(scheme: scheme), type.rowByteCount(columnCount: columnCount) != nil
      else { return nil }
      return TensorTask(tensor, type: .blocks(type), reason: nil)
    }
    var task = TensorTask(tensor, type: .scheme(scheme), reason: nil)
    task.folderFormat = folderFormat
    if !scheme.hasNestedScales { task.method = RoundToNearest(range: scheme.usualRange) }
    return task.obstacle(to: scheme) == nil ? task : nil
  }
}
