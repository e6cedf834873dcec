public import NibbleCheckpoints

/// What scaling a model's channels against what produces them has achieved.
public struct ScalingReport: Sendable {
  /// What was run to choose the scales.
  public var summary: CalibrationSummary
  /// The groups, in the order of the run.
  public var groups: [ScaledGroupReport]

  /// The sum of all groups' losses with scales, over that without.
  public var lossRatio: Double {
    let before = groups.reduce(0) { $0 + $1.lossBefore }
    return before > 0 ? groups.reduce(0) { $0 + $1.lossAfter } / before : 1
  }

  /// What the user should know.
  var notes: [String] {
    [
      "channels were scaled: the model computes what it did, but its weights are others than the source's, so judge it by its"
        + " outputs (nibble evaluate)"
    ]
  }

  /// The report as a JSON object.
  public var json: JSONValue {
    [
      "seconds": .number(summary.seconds),
      "loss_ratio": .number(lossRatio),
      "groups": .array(groups.map(\.json)),
    ]
  }
}

/// The scales of layers that share their input.
public struct ScaledGroupReport: Sendable {
  /// The output's name of the tensor that is divided.
  public var producer: String
  /// The expert, where that tensor holds several.
  public var expert: Int?
  /// The power of the inputs' magnitudes; 0 where nothing was scaled.
  public var ratio: Double
  /// What rounding to the nearest adds to the outputs, mean square a token, without scales, and with them.
  public var lossBefore: Double
  public var lossAfter: Double

  /// The report as a JSON object.
  public var json: JSONValue {
    [
      "producer": .string(producer),
      "expert": expert.map { .integer(Int64($0)) } ?? .null,
      "ratio": .number(ratio),
      "loss_before": .number(lossBefore),
      "loss_after": .number(lossAfter),
    ]
  }
}
