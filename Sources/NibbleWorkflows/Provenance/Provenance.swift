public import NibbleCheckpoints

/// What a model's files say of how they were made: enough to make them again.
public struct Provenance: Sendable, Equatable {
  /// The model that a job read.
  public struct Source: Sendable, Equatable {
    /// The path as the user wrote it.
    public var path: String
    /// The file format's name.
    public var format: String
    public var tensorCount: Int
    /// ``WeightHash/total`` of its tensors.
    public var hash: String

    public init(path: String, format: String, tensorCount: Int, hash: String) {
      self.path = path
      self.format = format
      self.tensorCount = tensorCount
      self.hash = hash
    }
  }

  /// How many tensors the output got which way.
  public struct TensorCounts: Sendable, Equatable {
    public var total = 0
    /// Those that are stored in codes.
    public var quantized = 0
    /// Those whose bytes are the source's.
    public var copied = 0
    /// Those whose codes were arranged anew with all values the same.
    public var exact = 0
    /// Those whose codes were arranged anew with scales or minima rounded.
    public var near = 0

    public init() {}
  }

  /// The version of Nibble that wrote the files.
  public var version: String
  public var source: Source
  public var recipe: Recipe
  /// What ran through the model; nil where nothing did.
  public var calibration: CalibrationSource?
  /// The processor's and library's arithmetic, where results depend on its roundings: with text run through the model.
  public var numerics: String?
  public var tensors = TensorCounts()
  /// How the source was made, the last step first; empty where it is not known. Entries have no history of their own.
  public var history: [Provenance] = []

  /// More steps than these are forgotten, the oldest first.
  static let historyLimit = 16
  /// Changes with the meaning of what is stored.
  private static let formatVersion = 1

  public init(version: String, source: Source, recipe: Recipe) {
    self.version = version
    self.source = source
    self.recipe = recipe
  }

  /// Reads a model's provenance.
  ///
  /// - Returns: nil where the files have none.
  /// - Throws: `CheckpointError` for one that is broken or of a version that is not known.
  public static func read(_ checkpoint: Checkpoint) throws(CheckpointError) -> Provenance? {
    guard let json = try checkpoint.annotations().provenance else { return nil }
    do {
      return try Provenance(json: json)
    } catch {
      throw error.inFile(checkpoint.path)
    }
  }

  /// The last recipe by which the model's weights were quantized: this one or one of the history.
  public var quantization: QuantizeRecipe? {
    for step in [self] + history {
      if case .quantize(let recipe) = step.recipe { return recipe }
    }
    return nil
  }

  /// Whether channels were scaled on the way, so that weights are others than the original's.
  public var hasScaledChannels: Bool {
    ([self] + history).contains { step in
      if case .quantize(let recipe) = step.recipe {
        recipe.transforms.contains(.awq)
      } else {
        false
      }
    }
  }
}

extension Provenance {
  /// The provenance as one JSON object.
  public var json: JSONValue {
    var json = JSONObject(["provenance": .integer(Int64(Self.formatVersion))])
    json["version"] = .string(version)
    json["source"] = source.json
    json["recipe"] = recipe.json
    json["calibration"] = calibration?.json
    json["numerics"] = numerics.map { .string($0) }
    json["tensors"] = tensors.json
    if !history.isEmpty { json["history"] = .array(history.map(\.json)) }
    return .object(json)
  }

  /// Reads what ``json`` wrote.
  ///
  /// - Throws: `CheckpointError` that names what is missing, of another kind or not known.
  public init(json: JSONValue) throws(CheckpointError) {
    try self.init(json: json, depth: 0)
  }

  private init(json: JSONValue, depth: Int) throws(CheckpointError) {
    let fields = try JSONFields(json, "the provenance")
    let format = try fields.count("provenance")
    guard format == Self.formatVersion else {
      throw CheckpointError(
        .unsupported, "the provenance has version \(format), not \(Self.formatVersion)")
    }
    self.init(
      version: try fields.string("version"), source: try Source(json: fields["source"]),
      recipe: try Recipe(json: fields["recipe"]))
    if let value = fields["calibration"] { calibration = try CalibrationSource(json: value) }
    numerics = try fields.optionalString("numerics")
    tensors = try TensorCounts(json: fields["tensors"])
    let steps = try fields.list("history")
    guard steps.isEmpty || depth == 0 && steps.count <= Self.historyLimit else {
      throw fields.fault("history", "is deeper or longer than Nibble writes it")
    }
    for step in steps { history.append(try Provenance(json: step, depth: depth + 1)) }
  }
}

extension Provenance.Source {
  fileprivate var json: JSONValue {
    [
      "path": .string(path), "format": .string(format), "tensors": .integer(Int64(tensorCount)),
      "sha256": .string(hash),
    ]
  }

  fileprivate init(json: JSONValue?) throws(CheckpointError) {
    let fields = try JSONFields(json, "the source")
    self.init(
      path: try fields.string("path"), format: try fields.string("format"),
      tensorCount: try fields.count("tensors"), hash: try fields.hash("sha256"))
  }
}

extension Provenance.TensorCounts {
  fileprivate var json: JSONValue {
    [
      "total": .integer(Int64(total)), "quantized": .integer(Int64(quantized)),
      "copied": .integer(Int64(copied)), "exact": .integer(Int64(exact)),
      "near": .integer(Int64(near)),
    ]
  }

  fileprivate init(json: JSONValue?) throws(CheckpointError) {
    let fields = try JSONFields(json, "the tensor counts")
    total = try fields.count("total")
    quantized = try fields.count("quantized")
    copied = try fields.count("copied")
    exact = try fields.count("exact")
    near = try fields.count("near")
  }

  init(_ tasks: [TensorTask]) {
    total = tasks.count
    quantized = tasks.count { $0.type.isQuantized }
    copied = tasks.count { $0.isCopy }
    exact = tasks.count { $0.isRepacked && $0.reason == "exact" }
    near = tasks.count { $0.isRepacked && $0.reason != "exact" }
  }
}
