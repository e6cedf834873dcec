public import NibbleCheckpoints
internal import NibbleQuantization

/// What quantizing with text did, layer by layer.
public struct CalibrationReport: Sendable {
  /// What was run.
  public var summary: CalibrationSummary
  /// The layers, in the order of the run.
  public var layers: [CalibratedLayerReport]
  /// Blocks that were taken from an interrupted run.
  public var resumedBlockCount: Int
  /// What became of the work of an interrupted run, if there was one.
  private var journalNotes: [String]

  init(_ summary: CalibrationSummary, _ layers: CalibratedLayers) {
    self.summary = summary
    self.layers = layers.reports
    resumedBlockCount = layers.journal?.takenCount ?? 0
    journalNotes = layers.journal?.notes ?? []
  }

  /// The sum of all layers' objectives after, over that before.
  public var objectiveRatio: Double {
    let before = layers.reduce(0) { $0 + $1.report.objectiveBefore }
    return before > 0 ? layers.reduce(0) { $0 + $1.report.objectiveAfter } / before : 1
  }

  /// What the user should know.
  var notes: [String] {
    var notes = journalNotes
    let starved = StarvedExpert.find(summary.expertTokenCounts)
    if let first = starved.first {
      notes.append(
        "\(starved.count) experts saw fewer than \(StarvedExpert.leastTokenCount) tokens, such as expert"
          + " \(first.expert) of block \(first.block): more text would help them")
    }
    let undetermined = layers.filter(\.report.isUndetermined)
    if let first = undetermined.first {
      notes.append(
        "\(undetermined.count) layers saw fewer tokens than twice their inputs and were not refined, such as"
          + " \(first.name) with \(first.tokenCount ?? 0) tokens: more text would help them")
    }
    return notes
  }

  /// The report as a JSON object.
  public var json: JSONValue {
    [
      "seconds": .number(summary.seconds),
      "windows": .integer(Int64(summary.windowCount)),
      "tokens": .integer(Int64(summary.tokenCount)),
      "resumed_blocks": .integer(Int64(resumedBlockCount)),
      "objective_ratio": .number(objectiveRatio),
      "kept_bytes": .integer(Int64(summary.keptByteCount)),
      "spilled_bytes": .integer(Int64(summary.spilledByteCount)),
      "layers": .array(layers.map(\.json)),
    ]
  }
}

extension CalibratedLayerReport {
  /// The report as a JSON object.
  public var json: JSONValue {
    [
      "name": .string(name),
      "expert": expert.map { .integer(Int64($0)) } ?? .null,
      "tokens": tokenCount.map { .integer(Int64($0)) } ?? .null,
      "objective_before": .number(report.objectiveBefore),
      "objective_after": .number(report.objectiveAfter),
      "damping": .number(report.damping),
      "correction_share": report.correctionShare.map { .number($0) } ?? .null,
      "seconds": .number(seconds),
      "notes": .array(report.notes.map { .string($0) }),
    ]
  }
}
