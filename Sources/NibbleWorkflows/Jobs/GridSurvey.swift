internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleQuantization
internal import NibbleTensors
internal import Synchronization

/// Finds out which tensors lie on the grid of the type that they are to have, before anything is written.
struct GridSurvey {
  let environment: JobEnvironment

  /// What was found of one tensor.
  struct Finding: Sendable {
    var report = GridReport()
    /// Why there can be no grid, in words.
    var obstacle: String?

    var isExact: Bool { obstacle == nil && report.groupCount > 0 && report.isExact }

    var description: String {
      if let obstacle { return "no grid: \(obstacle)" }
      let share = "\(report.exactGroupCount) of \(report.groupCount) groups"
      return isExact
        ? "recovered exactly"
        : "no grid: \(share) are exact, others differ by up to \(shortText(report.largestDeviation)) of"
          + " their largest value"
    }
  }

  /// Marks the tasks that are recovered, and says of all that could be what was found.
  ///
  /// - Returns: the tasks, and a note for the user.
  /// - Throws: `CheckpointError` for sources that cannot be read, ``JobCancelled``.
  func marked(_ tasks: [TensorTask]) throws -> (tasks: [TensorTask], note: String) {
    var tasks = tasks
    let places = tasks.indices.filter { tasks[$0].gridRecovery != nil }
    let findings = try findings(places.map { tasks[$0] })
    for (place, finding) in zip(places, findings) { tasks[place].take(finding) }
    let count = findings.filter(\.isExact).count
    return (
      tasks, "\(count) of \(places.count) matrices were on their grid and are recovered exactly"
    )
  }

  /// What is found of tasks that have a ``TensorTask/gridRecovery``; the same for any number of threads.
  func findings(_ tasks: [TensorTask]) throws -> [Finding] {
    let chunks = tasks.enumerated().flatMap { index, task in
      let isRowLocal = task.type.scheme?.isRowLocal ?? false
      let step =
        isRowLocal && task.columnCount > 0
        ? max(1, (1 << 16) / task.columnCount) : max(task.rowCount, 1)
      return stride(from: 0, to: task.rowCount, by: step).map { first in
        RowChunk(task: index, rows: first..<min(first + step, task.rowCount))
      }
    }
    let findings = Mutex(tasks.map { _ in Finding() })
    let meter = ProgressMeter(
      "looking for grids", total: ProgressMeter.byteCount(tasks), environment.progress)
    try environment.chunkLoop().run(chunks.count) { index, scratch in
      let chunk = chunks[index]
      let task = tasks[chunk.task]
      let found = try task.gridFinding(chunk.rows, scratch)
      // Counts and largest values: the order of adding changes nothing.
      findings.withLock { findings in
        findings[chunk.task].report.add(found.report)
        if let obstacle = found.obstacle {
          findings[chunk.task].obstacle = min(
            obstacle, findings[chunk.task].obstacle ?? obstacle)
        }
      }
      task.releaseSource(chunk.rows)
      meter.add(chunk.rows.count * task.sourceRowByteCount)
    }
    return findings.withLock { $0 }
  }
}

extension TensorTask {
  /// What finds the codes of the source's weights on the grid of the output's type; nil where no weights are quantized, and
  /// where the source's are changed or no floats of 16 or 32 bits.
  var gridRecovery: GridRecovery? {
    guard case .stored(let origin) = origin, origin.offset == 0, factors == nil, shape.count > 1,
      case .plain(let sourceType) = origin.type, let scheme = type.scheme, !scheme.hasColumnOrder
    else { return nil }
    var recovery = GridRecovery(type: sourceType)
    recovery?.method = method
    return recovery
  }

  /// What is found of some rows.
  func gridFinding(
    _ rows: Range<Int>, _ scratch: Scratch
  ) throws(CheckpointError) -> GridSurvey.Finding {
    var finding = GridSurvey.Finding()
    guard let recovery = gridRecovery, let scheme = type.scheme else { return finding }
    let values = try sourceValues(rows, scratch)
    do {
      finding.report = try recovery.recover(
        UnsafeBufferPointer(values), rowCount: rows.count, columnCount: columnCount, as: scheme
      ).report
    } catch {
      finding.obstacle = error.message
    }
    return finding
  }

  /// Marks the task as recovered, or says what kept it from that.
  mutating func take(_ finding: GridSurvey.Finding) {
    reason = [finding.description, reason].compactMap { $0 }.joined(separator: "; ")
    guard finding.isExact else { return }
    recovery = gridRecovery
    isCalibrated = false
  }
}
