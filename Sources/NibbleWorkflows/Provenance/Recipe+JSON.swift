public import NibbleCheckpoints
internal import NibbleQuantization

extension Recipe {
  /// The recipe as one JSON object; what has its usual value is left out.
  public var json: JSONValue {
    switch self {
    case .quantize(let recipe): .object(recipe.json)
    case .convert(let recipe): .object(recipe.json)
    }
  }

  /// Reads what ``json`` wrote.
  ///
  /// - Throws: `CheckpointError` that names the member that is missing, of another kind or not known.
  public init(json: JSONValue?) throws(CheckpointError) {
    let fields = try JSONFields(json, "the recipe")
    switch try fields.string("command") {
    case "quantize": self = .quantize(try QuantizeRecipe(fields))
    case "convert": self = .convert(try ConvertRecipe(fields))
    case let command:
      throw CheckpointError(
        .unsupported,
        "the recipe is for the command \"\(command)\", which this version does not know"
      )
    }
  }
}

extension QuantizeRecipe {
  fileprivate var json: JSONObject {
    var json = JSONObject(["command": "quantize", "format": .string(format.rawValue)])
    switch selection.base {
    case .mix(let mix): json["mix"] = .string(mix.rawValue)
    case .scheme(let scheme): json["scheme"] = .string(scheme.description)
    }
    if selection.isPure { json["pure"] = true }
    json["output_type"] = selection.outputType.map { .string($0.recipeName) }
    json["embedding_type"] = selection.embeddingType.map { .string($0.recipeName) }
    if !selection.overrides.isEmpty {
      json["overrides"] = .array(
        selection.overrides.map {
          ["pattern": .string($0.pattern), "type": .string($0.type.recipeName)]
        })
    }
    if !selection.keepPatterns.isEmpty {
      json["keep"] = .array(selection.keepPatterns.map { .string($0) })
    }
    json["range"] = range.map { .string($0) }
    if findsExactMeans { json["exact_kmeans"] = true }
    if !transforms.isEmpty { json["transforms"] = .array(transforms.map { .string($0.rawValue) }) }
    if allowsRequantizing { json["allow_requantize"] = true }
    if recoversGrids { json["recover_grid"] = true }
    json["calibration"] = calibration.map { .object($0.json) }
    return json
  }

  fileprivate init(_ fields: JSONFields) throws(CheckpointError) {
    let base: TypeSelection.Base
    if fields["scheme"] != nil {
      let name = try fields.string("scheme")
      guard let scheme = Scheme(name: name) else {
        throw fields.fault("scheme", "is \"\(name)\", which is no scheme")
      }
      base = .scheme(scheme)
    } else {
      base = .mix(try fields.name("mix", QuantizationMix.self))
    }
    var selection = TypeSelection(base: base)
    selection.isPure = try fields.flag("pure")
    selection.outputType = try fields.type("output_type")
    selection.embeddingType = try fields.type("embedding_type")
    for value in try fields.list("overrides") {
      let entry = try JSONFields(value, "an override")
      guard let type = try entry.type("type") else { throw entry.fault("type", "is missing") }
      selection.overrides.append(
        TypeSelection.Override(pattern: try entry.string("pattern"), type: type))
    }
    selection.keepPatterns = try fields.strings("keep")
    self.init(selection: selection, format: try fields.name("format", OutputFormat.self))
    range = try fields.optionalString("range")
    if let range, RangeRegistry.find(range) == nil {
      throw fields.fault("range", "is \"\(range)\", which is no range estimator")
    }
    findsExactMeans = try fields.flag("exact_kmeans")
    for name in try fields.strings("transforms") {
      guard let transform = ModelTransform(rawValue: name) else {
        throw fields.fault("transforms", "holds \"\(name)\", which this version does not know")
      }
      transforms.append(transform)
    }
    allowsRequantizing = try fields.flag("allow_requantize")
    recoversGrids = try fields.flag("recover_grid")
    if let value = fields["calibration"] {
      calibration = try CalibrationRecipe(JSONFields(value, "the calibration"))
    }
  }
}

extension CalibrationRecipe {
  fileprivate var json: JSONObject {
    var json = JSONObject([
      "method": .string(method.rawValue), "effort": .string(effort.rawValue),
      "order": .string(order == .natural ? "natural" : "importance"),
      "windows": .integer(Int64(windowLimit)), "context": .integer(Int64(windowTokenCount)),
    ])
    switch clipping {
    case .none: break
    case .wherePossible: json["clip"] = "where_possible"
    case .everywhere: json["clip"] = "everywhere"
    }
    // Seeds may exceed what JSON's numbers hold.
    json["seed"] = seed.map { .string(String($0)) }
    return json
  }

  fileprivate init(_ fields: JSONFields) throws(CheckpointError) {
    var calibration = CalibratedQuantization()
    calibration.method = try fields.name("method", CalibratedQuantization.Method.self)
    calibration.effort = try fields.name("effort", CalibratedQuantization.Effort.self)
    switch try fields.string("order") {
    case "natural": calibration.order = .natural
    case "importance": calibration.order = .descendingImportance
    case let order: throw fields.fault("order", "is \"\(order)\", which this version does not know")
    }
    switch try fields.optionalString("clip") {
    case nil: calibration.clipping = .none
    case "where_possible": calibration.clipping = .wherePossible
    case "everywhere": calibration.clipping = .everywhere
    case let clip?: throw fields.fault("clip", "is \"\(clip)\", which this version does not know")
    }
    calibration.windows.limit = try fields.count("windows")
    calibration.windows.tokenCount = try fields.count("context")
    if let text = try fields.optionalString("seed") {
      guard let seed = UInt64(text) else { throw fields.fault("seed", "is no seed") }
      calibration.windows.seed = seed
    }
    self.init(calibration)
  }
}

extension ConvertRecipe {
  fileprivate var json: JSONObject {
    var json = JSONObject([
      "command": "convert", "format": .string(format.rawValue),
      "shard_bytes": .integer(Int64(maximumShardByteCount)),
    ])
    json["type"] = floatType.map { .string($0.name) }
    if allowsRequantizing { json["allow_requantize"] = true }
    if recoversGrids { json["recover_grid"] = true }
    if !grids.isEmpty { json["grids"] = .array(grids.map { .string($0.description) }) }
    return json
  }

  fileprivate init(_ fields: JSONFields) throws(CheckpointError) {
    self.init(
      format: try fields.name("format", OutputFormat.self),
      maximumShardByteCount: try fields.count("shard_bytes"))
    if let name = try fields.optionalString("type") {
      guard let type = GGMLType(name: name), [.f32, .f16, .bf16].contains(type) else {
        throw fields.fault("type", "is \"\(name)\", which is none of F32, F16 and BF16")
      }
      floatType = type
    }
    allowsRequantizing = try fields.flag("allow_requantize")
    recoversGrids = try fields.flag("recover_grid")
    for name in try fields.strings("grids") {
      guard let grid = Scheme(name: name) else {
        throw fields.fault("grids", "holds \"\(name)\", which is no scheme")
      }
      grids.append(grid)
    }
  }
}

extension StoredType {
  /// The name by which recipes call the type: "Q4_K" for GGUF's, "int4-g64-sym" for a scheme.
  fileprivate var recipeName: String { name }

  /// Finds a type by ``recipeName``. GGUF's types are told from schemes of the same name by their capitals.
  fileprivate init?(recipeName: String) {
    if let type = GGMLType(name: recipeName), type.name == recipeName {
      self.init(type)
    } else if let scheme = Scheme(name: recipeName) {
      self = .scheme(scheme)
    } else {
      return nil
    }
  }
}

extension JSONFields {
  /// A stored type; nil where it is missing.
  fileprivate func type(_ key: String) throws(CheckpointError) -> StoredType? {
    guard let name = try optionalString(key) else { return nil }
    guard let type = StoredType(recipeName: name) else {
      throw fault(key, "is \"\(name)\", which is no type")
    }
    return type
  }
}
