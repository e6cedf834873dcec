internal import Foundation
public import NibbleCheckpoints

extension ModelConfig {
  /// Reads a `config.json` of transformers version 4 or 5.
  ///
  /// - Throws: ``ModelError`` naming the key that is missing, contradictory or unsupported.
  public init(huggingFace json: JSONValue) throws(ModelError) {
    let reader = ConfigReader(json: json["text_config"] ?? json)
    let modelType = reader.string("model_type") ?? ""
    let className = json["architectures"]?.array?.first?.string
    guard let architecture = ArchitectureRegistry.find(className: className, modelType: modelType)
    else {
      throw ModelError(
        .unsupported,
        "the architecture \"\(className ?? modelType)\" is not known; Nibble runs "
          + ArchitectureRegistry.classNames.joined(separator: ", "))
    }
    let hiddenCount = try reader.integer("hidden_size")
    let headCount = try reader.integer("num_attention_heads")
    guard headCount > 0 else { throw ModelError(.malformed, "num_attention_heads is \(headCount)") }
    let headFeatureCount = try reader.optionalInteger("head_dim") ?? hiddenCount / headCount
    self.init(
      architecture: architecture.ggufName, modelType: modelType,
      blockCount: try reader.integer("num_hidden_layers"), hiddenCount: hiddenCount,
      feedForwardCount: try reader.integer("intermediate_size"), headCount: headCount,
      keyValueHeadCount: try reader.optionalInteger("num_key_value_heads") ?? headCount,
      headFeatureCount: headFeatureCount, vocabularyCount: try reader.integer("vocab_size"),
      contextCount: try reader.optionalInteger("max_position_embeddings") ?? 2048,
      normEpsilon: Float(reader.number("rms_norm_eps") ?? 1e-6),
      rope: try reader.rope(headFeatureCount: headFeatureCount),
      slidingWindow: try reader.optionalInteger("sliding_window"),
      hasTiedEmbeddings: reader.bool("tie_word_embeddings") ?? false)
    hasAttentionBias = reader.bool("attention_bias") ?? false
    hasFeedForwardBias = reader.bool("mlp_bias") ?? false
    let activation = reader.string("hidden_act") ?? "silu"
    guard activation == "silu" else {
      throw ModelError(.unsupported, "hidden_act \"\(activation)\" is not supported, only silu")
    }
    self = try validated()
  }

  /// The `config.json` of this model in the spelling that transformers 4 and 5 read.
  public func huggingFaceJSON(beginTokenID: Int?, endTokenIDs: [Int]) -> JSONValue {
    let className =
      modelType == "mistral"
      ? "MistralForCausalLM"
      : ArchitectureRegistry.find(ggufName: architecture)?.classNames.first ?? ""
    var json: JSONObject = JSONObject([
      "architectures": [.string(className)],
      "attention_bias": .bool(hasAttentionBias),
      "head_dim": .integer(Int64(headFeatureCount)),
      "hidden_act": "silu",
      "hidden_size": .integer(Int64(hiddenCount)),
      "intermediate_size": .integer(Int64(feedForwardCount)),
      "max_position_embeddings": .integer(Int64(contextCount)),
      "mlp_bias": .bool(hasFeedForwardBias),
      "model_type": .string(modelType),
      "num_attention_heads": .integer(Int64(headCount)),
      "num_hidden_layers": .integer(Int64(blockCount)),
      "num_key_value_heads": .integer(Int64(keyValueHeadCount)),
      "rms_norm_eps": .number(shortest(normEpsilon)),
      "rope_theta": .number(shortest(rope.base)),
      "tie_word_embeddings": .bool(hasTiedEmbeddings),
      "vocab_size": .integer(Int64(vocabularyCount)),
    ])
    json["rope_scaling"] = ropeScalingJSON
    if let slidingWindow { json["sliding_window"] = .integer(Int64(slidingWindow)) }
    if let beginTokenID { json["bos_token_id"] = .integer(Int64(beginTokenID)) }
    if endTokenIDs.count == 1 {
      json["eos_token_id"] = .integer(Int64(endTokenIDs[0]))
    } else if endTokenIDs.count > 1 {
      json["eos_token_id"] = .array(endTokenIDs.map { .integer(Int64($0)) })
    }
    return .object(json)
  }

  private var ropeScalingJSON: JSONValue? {
    switch rope.scaling {
    case .none: return nil
    case .linear(let factor): return ["rope_type": "linear", "factor": .number(shortest(factor))]
    case .llama3(let factor, let lowFactor, let highFactor, let originalContext):
      return [
        "rope_type": "llama3", "factor": .number(shortest(factor)),
        "low_freq_factor": .number(shortest(lowFactor)),
        "high_freq_factor": .number(shortest(highFactor)),
        "original_max_position_embeddings": .integer(Int64(originalContext)),
      ]
    case .divisors(let divisors):
      // A GGUF file keeps only the divisors; Llama 3's constants are the ones that made them.
      return [
        "rope_type": "llama3", "factor": .number(shortest(divisors.last ?? 8)),
        "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
      ]
    }
  }
}

/// The decimal that a person would write for `value`: 1e-05 and not 9.99999974e-06.
func shortest(_ value: Float) -> Double { Double("\(value)") ?? Double(value) }

/// Typed access to the keys of a `config.json`.
private struct ConfigReader {
  let json: JSONValue

  func string(_ key: String) -> String? { json[key]?.string }
  func bool(_ key: String) -> Bool? { json[key]?.bool }
  func number(_ key: String) -> Double? { json[key]?.number }

  func integer(_ key: String) throws(ModelError) -> Int {
    guard let value = try optionalInteger(key) else {
      throw ModelError(.missing, "\(key) is missing")
    }
    return value
  }

  func optionalInteger(_ key: String) throws(ModelError) -> Int? {
    guard let value = json[key], !value.isNull else { return nil }
    guard let integer = value.integer, (0...(1 << 40)).contains(integer) else {
      throw ModelError(.malformed, "\(key) is no whole number of a sensible size")
    }
    return integer
  }

  func rope(headFeatureCount: Int) throws(ModelError) -> RopeConfig {
    let parameters = json["rope_parameters"] ?? json["rope_scaling"] ?? .null
    let base = json["rope_theta"]?.number ?? parameters["rope_theta"]?.number ?? 10_000
    let share = json["partial_rotary_factor"]?.number ?? 1
    guard share > 0, share <= 1 else {
      throw ModelError(.malformed, "partial_rotary_factor \(share) is not between 0 and 1")
    }
    let kind = (parameters["rope_type"] ?? parameters["type"])?.string ?? "default"
    func factor(_ key: String, _ fallback: Float? = nil) throws(ModelError) -> Float {
      guard let value = parameters[key]?.number.map({ Float($0) }) ?? fallback,
        value.isFinite, value > 0
      else { throw ModelError(.malformed, "rope_scaling has no valid \(key)") }
      return value
    }
    let scaling: RopeConfig.Scaling
    switch kind {
    case "default": scaling = .none
    case "linear": scaling = .linear(factor: try factor("factor"))
    case "llama3":
      scaling = .llama3(
        factor: try factor("factor", 8), lowFactor: try factor("low_freq_factor", 1),
        highFactor: try factor("high_freq_factor", 4),
        originalContext: try factor("original_max_position_embeddings", 8192))
    default:
      throw ModelError(
        .unsupported, "rope scaling \"\(kind)\" is not supported, only linear and llama3")
    }
    return RopeConfig(
      base: Float(base), featureCount: Int(share * Double(headFeatureCount)), pairing: .halves,
      scaling: scaling)
  }
}
