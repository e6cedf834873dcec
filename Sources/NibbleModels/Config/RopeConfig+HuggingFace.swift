internal import NibbleCheckpoints

extension HuggingFaceConfig {
  /// The rotary embedding that `rope_parameters` (version 5) or `rope_theta` and `rope_scaling` (version 4) describe.
  ///
  /// `layerType` is the kind of attention, where each kind has parameters of its own; `baseKey` the key of the base in
  /// version 4.
  func rope(
    layerType: String? = nil, baseKey: String = "rope_theta", defaultBase: Double = 10_000,
    headFeatureCount: Int, contextCount: Int
  ) throws(ModelError) -> RopeConfig {
    let shared = json["rope_parameters"] ?? json["rope_scaling"] ?? .null
    let own = layerType.flatMap { shared[$0] }
    let reader = RopeReader(json: own ?? shared, contextCount: contextCount, config: json)
    let base = json[baseKey]?.number ?? reader.json["rope_theta"]?.number ?? defaultBase
    let share =
      reader.json["partial_rotary_factor"]?.number ?? json["partial_rotary_factor"]?.number ?? 1
    guard share > 0, share <= 1 else {
      throw ModelError(.malformed, "partial_rotary_factor \(share) is not between 0 and 1")
    }
    return RopeConfig(
      base: Float(base), featureCount: Int(share * Double(headFeatureCount)), pairing: .halves,
      scaling: try reader.scaling())
  }
}

/// Reads the scaling from an object of rope parameters.
private struct RopeReader {
  let json: JSONValue
  let contextCount: Int
  /// The whole configuration, where Phi-3 keeps the original context.
  let config: JSONValue

  func scaling() throws(ModelError) -> RopeScaling {
    let kind = (json["rope_type"] ?? json["type"])?.string ?? "default"
    switch kind {
    case "default": return .none
    case "linear": return .linear(factor: try number("factor"))
    case "dynamic":
      return .dynamic(factor: try number("factor"), originalContext: contextCount)
    case "llama3":
      return .llama3(
        factor: try number("factor", or: 8), lowFactor: try number("low_freq_factor", or: 1),
        highFactor: try number("high_freq_factor", or: 4),
        originalContext: min(
          try number("original_max_position_embeddings", or: 8192), Float(1 << 30)))
    case "yarn": return .yarn(try yarn())
    case "longrope", "su": return .longRope(try longRope())
    default:
      throw ModelError(
        .unsupported,
        "rope scaling \"\(kind)\" is not supported; Nibble knows linear, dynamic, yarn, llama3 and longrope"
      )
    }
  }

  private func yarn() throws(ModelError) -> YarnScaling {
    let original = try originalContext()
    let factor = try number("factor", or: Float(contextCount) / Float(original))
    var usual = YarnScaling.usualAttentionFactor(factor)
    if let strength = json["mscale"]?.number, let all = json["mscale_all_dim"]?.number,
      strength != 0, all != 0
    {
      usual =
        YarnScaling.usualAttentionFactor(factor, Float(strength))
        / YarnScaling.usualAttentionFactor(factor, Float(all))
    }
    return YarnScaling(
      factor: factor, originalContext: original, fastTurnCount: try number("beta_fast", or: 32),
      slowTurnCount: try number("beta_slow", or: 1), isTruncated: json["truncate"]?.bool ?? true,
      attentionFactor: try number("attention_factor", or: usual))
  }

  private func longRope() throws(ModelError) -> LongRopeScaling {
    let original = try originalContext()
    let factor = try number("factor", or: Float(contextCount) / Float(original))
    return LongRopeScaling(
      shortFactors: try factors("short_factor"), longFactors: try factors("long_factor"),
      originalContext: original,
      attentionFactor: try number(
        "attention_factor",
        or: LongRopeScaling.usualAttentionFactor(factor, originalContext: original)))
  }

  private func originalContext() throws(ModelError) -> Int {
    let key = "original_max_position_embeddings"
    let value = (json[key] ?? config[key])?.integer ?? contextCount
    guard (2...(1 << 30)).contains(value) else {
      throw ModelError(.malformed, "\(key) is \(value)")
    }
    return value
  }

  private func number(_ key: String, or fallback: Float? = nil) throws(ModelError) -> Float {
    guard let value = json[key]?.number.map({ Float($0) }) ?? fallback, value.isFinite, value > 0
    else { throw ModelError(.malformed, "rope_scaling has no valid \(key)") }
    return value
  }

  private func factors(_ key: String) throws(ModelError) -> [Float] {
    guard let values = json[key]?.array?.map({ Float($0.number ?? .nan) }),
      values.allSatisfy({ $0.isFinite && $0 > 0 })
    else { throw ModelError(.malformed, "rope_scaling has no valid \(key)") }
    return values
  }
}

extension RopeConfig {
  /// Writes `rope_theta` and, where there is scaling, `rope_scaling`, as versions 4 and 5 read them.
  func write(to json: inout JSONObject, headFeatureCount: Int) {
    json["rope_theta"] = .number(shortest(base))
    if featureCount != headFeatureCount {
      json["partial_rotary_factor"] = .number(Double(featureCount) / Double(headFeatureCount))
    }
    json["rope_scaling"] = scalingJSON.map { .object($0) }
  }

  /// Llama 3's scaling as the numbers that make its divisors: a GGUF file keeps only these. The original context is found
  /// by trying powers of two, with the factors that all published models have.
  private var named: RopeScaling {
    guard case .divisors(let divisors) = scaling, let factor = divisors.max() else {
      return scaling
    }
    for exponent in 4...24 {
      var candidate = self
      candidate.scaling = .llama3(
        factor: factor, lowFactor: 1, highFactor: 4, originalContext: Float(1 << exponent))
      let others = candidate.divisors ?? []
      if zip(divisors, others).allSatisfy({ abs($0 - $1) <= 1e-4 * $0 }) {
        return candidate.scaling
      }
    }
    return .llama3(factor: factor, lowFactor: 1, highFactor: 4, originalContext: 8192)
  }

  /// The members of `rope_scaling`; nil where there is none.
  var scalingJSON: JSONObject? {
    switch scaling {
    case .none: return nil
    case .linear(let factor):
      return JSONObject(["rope_type": "linear", "factor": .number(shortest(factor))])
    case .dynamic(let factor, let originalContext):
      return JSONObject([
        "rope_type": "dynamic", "factor": .number(shortest(factor)),
        "original_max_position_embeddings": .integer(Int64(originalContext)),
      ])
    case .llama3, .divisors:
      guard case .llama3(let factor, let lowFactor, let highFactor, let originalContext) = named
      else { return nil }
      return JSONObject([
        "rope_type": "llama3", "factor": .number(shortest(factor)),
        "low_freq_factor": .number(shortest(lowFactor)),
        "high_freq_factor": .number(shortest(highFactor)),
        "original_max_position_embeddings": .integer(Int64(originalContext)),
      ])
    case .yarn(let yarn):
      return JSONObject([
        "rope_type": "yarn", "factor": .number(shortest(yarn.factor)),
        "original_max_position_embeddings": .integer(Int64(yarn.originalContext)),
        "beta_fast": .number(shortest(yarn.fastTurnCount)),
        "beta_slow": .number(shortest(yarn.slowTurnCount)),
        "attention_factor": .number(shortest(yarn.attentionFactor)),
        "truncate": .bool(yarn.isTruncated),
      ])
    case .longRope(let longRope):
      return JSONObject([
        "rope_type": "longrope",
        "short_factor": .array(longRope.shortFactors.map { .number(shortest($0)) }),
        "long_factor": .array(longRope.longFactors.map { .number(shortest($0)) }),
        "original_max_position_embeddings": .integer(Int64(longRope.originalContext)),
        "attention_factor": .number(shortest(longRope.attentionFactor)),
      ])
    }
  }
}
