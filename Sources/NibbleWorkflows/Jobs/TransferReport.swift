public import NibbleCheckpoints

/// What happened to one tensor.
public struct TensorReport: Sendable {
  /// The name in the output.
  public var name: String
  /// Dimensions, slowest first.
  public var shape: [Int]
  /// How the source stored it: "BF16".
  public var sourceType: String
  /// How the output stores it: "Q4_K".
  public var type: String
  public var bitsPerWeight: Double
  /// Bytes in the output.
  public var byteCount: Int
  /// ‖W − Ŵ‖² / ‖W‖², measured on the reopened file; nil when it was not verified or holds no floats.
  public var relativeError: Double?
  /// Why the type is what it is, where that is not plain.
  public var reason: String?
}

/// What a job that wrote a model did, and whether the file is what was meant.
public struct TransferReport: Sendable {
  /// The path that was written.
  public var output: String
  public var tensors: [TensorReport]
  /// Wall time from opening the source to the output's final name.
  public var seconds: Double
  /// Wall time of the comparison with the source.
  public var verificationSeconds: Double
  /// Bytes of all files of the output.
  public var outputByteCount: Int
  /// The most memory that the process had resident.
  public var peakMemoryByteCount: Int
  /// Whether the output was reopened and is what was meant; nil when that was not asked for.
  public var isVerified: Bool?
  /// What the verification found wrong.
  public var failures: [String]
  /// What quantizing with text did; nil where none was used.
  public var calibration: CalibrationReport?
  /// What scaling channels did; nil where none were.
  public var scaling: ScalingReport?
  /// What the user should know.
  public var notes: [String]

  /// Weights of all tensors.
  public var parameterCount: Int {
    tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
  }

  /// Bits that a weight takes on average, scales included, the file's metadata not.
  public var bitsPerWeight: Double {
    let bytes = tensors.reduce(0) { $0 + $1.byteCount }
    return parameterCount > 0 ? Double(8 * bytes) / Double(parameterCount) : 0
  }

  /// The report as one JSON object.
  public var json: JSONValue {
    guard case .object(var object) = summaryJSON else { return summaryJSON }
    object["calibration"] = calibration?.json ?? .null
    object["scaling"] = scaling?.json ?? .null
    object["tensors"] = .array(tensors.map(\.json))
    return .object(object)
  }

  /// What the report says of the whole, without its tables.
  var summaryJSON: JSONValue {
    [
      "output": .string(output),
      "seconds": .number(seconds),
      "verification_seconds": .number(verificationSeconds),
      "output_bytes": .integer(Int64(outputByteCount)),
      "parameters": .integer(Int64(parameterCount)),
      "bits_per_weight": .number(bitsPerWeight),
      "peak_memory_bytes": .integer(Int64(peakMemoryByteCount)),
      "verified": isVerified.map { .bool($0) } ?? .null,
      "objective_ratio": calibration.map { .number($0.objectiveRatio) } ?? .null,
      "failures": .array(failures.map { .string($0) }),
      "notes": .array(notes.map { .string($0) }),
    ]
  }
}

extension TensorReport {
  init(_ task: TensorTask, relativeError: Double?) {
    self.init(
      name: task.name, shape: task.shape, sourceType: task.sourceType.name, type: task.type.name,
      bitsPerWeight: task.bitsPerWeight, byteCount: task.byteCount, relativeError: relativeError,
      reason: task.reason)
  }

  /// The report as a JSON object.
  public var json: JSONValue {
    [
      "name": .string(name),
      "shape": .array(shape.map { .integer(Int64($0)) }),
      "source_type": .string(sourceType),
      "type": .string(type),
      "bits_per_weight": .number(bitsPerWeight),
      "bytes": .integer(Int64(byteCount)),
      "relative_error": relativeError.map { .number($0) } ?? .null,
      "reason": reason.map { .string($0) } ?? .null,
    ]
  }
}
