public import NibbleCheckpoints

extension ModelConfig {
  /// Reads a `config.json` of transformers version 4 or 5.
  ///
  /// - Throws: ``ModelError`` naming the key that is missing, contradictory or unsupported.
  public init(huggingFace json: JSONValue) throws(ModelError) {
    let source = HuggingFaceConfig(json: json["text_config"] ?? json)
    let modelType = source.json["model_type"]?.string ?? ""
    let className = json["architectures"]?.array?.first?.string
    guard let architecture = ArchitectureRegistry.find(className: className, modelType: modelType)
    else {
      throw ModelError(
        .unknownArchitecture,
        "the architecture \"\(className ?? modelType)\" is not known; Nibble runs "
          + ArchitectureRegistry.classNames.joined(separator: ", "))
    }
    self.init(
      architecture: architecture.ggufName,
      modelType: architecture.modelTypes.contains(modelType)
        ? modelType : architecture.modelTypes.first ?? modelType)
    for field in architecture.fields { try field.read(from: source, into: &self) }
    hasTiedEmbeddings =
      source.json["tie_word_embeddings"]?.bool ?? json["tie_word_embeddings"]?.bool
      ?? architecture.tiesEmbeddings
    if architecture.rotaryPairing != nil {
      rope = try source.rope(headFeatureCount: headFeatureCount, contextCount: contextCount)
    }
    try source.requireActivation(architecture.activation, architecture.activationKey)
    try architecture.read(source, into: &self)
    self = try validated()
  }

  /// The `config.json` of this model in the spelling that transformers 4 and 5 read.
  func huggingFaceJSON(
    _ architecture: any Architecture.Type, beginTokenID: Int?, endTokenIDs: [Int],
    padTokenID: Int?
  ) -> JSONValue {
    var json = JSONObject()
    let place = architecture.modelTypes.firstIndex(of: modelType) ?? 0
    let classNames = architecture.classNames
    json["architectures"] = [.string(classNames[min(place, classNames.count - 1)])]
    json["model_type"] = .string(modelType)
    for field in architecture.fields {
      guard let key = field.huggingFace, let value = field.value(self) else { continue }
      json[key] = value.json
    }
    json[architecture.activationKey] = .string(architecture.activation.huggingFaceNames[0])
    json["tie_word_embeddings"] = .bool(hasTiedEmbeddings)
    if let rope { rope.write(to: &json, headFeatureCount: headFeatureCount) }
    architecture.write(self, to: &json)
    if let beginTokenID { json["bos_token_id"] = .integer(Int64(beginTokenID)) }
    // Some classes have a default that need not be in the vocabulary.
    json["pad_token_id"] = padTokenID.map { .integer(Int64($0)) } ?? .null
    if endTokenIDs.count == 1 {
      json["eos_token_id"] = .integer(Int64(endTokenIDs[0]))
    } else if endTokenIDs.count > 1 {
      json["eos_token_id"] = .array(endTokenIDs.map { .integer(Int64($0)) })
    }
    return .object(json)
  }

  /// The kinds of attention as `layer_types` lists them.
  var layerTypesJSON: JSONValue {
    .array(
      (0..<blockCount).map {
        window(ofBlock: $0) == nil ? "full_attention" : "sliding_attention"
      })
  }
}

extension ConfigField.Scalar {
  var json: JSONValue {
    switch self {
    case .count(let value): .integer(Int64(value))
    case .number(let value): .number(shortest(value))
    case .flag(let value): .bool(value)
    }
  }

  var metadata: MetadataValue {
    switch self {
    case .count(let value): .uint32(UInt32(clamping: value))
    case .number(let value): .float32(value)
    case .flag(let value): .bool(value)
    }
  }
}

/// The decimal that a person would write for `value`: 1e-05 and not 9.99999974e-06.
func shortest(_ value: Float) -> Double { Double("\(value)") ?? Double(value) }
