internal import NibbleCheckpoints

/// The keys of rotary embeddings, after the architecture's name and a dot, and the tensors beside them.
private enum RopeKey {
  static let base = "rope.freq_base"
  static let featureCount = "rope.dimension_count"
  static let kind = "rope.scaling.type"
  static let factor = "rope.scaling.factor"
  static let originalContext = "rope.scaling.original_context_length"
  static let attentionFactor = "rope.scaling.attn_factor"
  static let fastTurnCount = "rope.scaling.yarn_beta_fast"
  static let slowTurnCount = "rope.scaling.yarn_beta_slow"
  /// GGUF has no key for dynamic scaling; this one is Nibble's own.
  static let dynamicFactor = "rope.scaling.nibble_dynamic_factor"
  static let divisors = "rope_freqs.weight"
  static let longFactors = "rope_factors_long.weight"
  static let shortFactors = "rope_factors_short.weight"
}

extension GGUFConfig {
  /// The rotary embedding that keys and tensors describe.
  ///
  /// - Throws: ``ModelError`` that names the key or tensor.
  func rope(
    headFeatureCount: Int, pairing: RopeConfig.Pairing, _ config: ModelConfig
  ) throws(ModelError) -> RopeConfig {
    RopeConfig(
      base: Float(try number(RopeKey.base) ?? 10_000),
      featureCount: try count(RopeKey.featureCount) ?? headFeatureCount, pairing: pairing,
      scaling: try scaling(
        featureCount: try count(RopeKey.featureCount) ?? headFeatureCount, config))
  }

  private func scaling(
    featureCount: Int, _ config: ModelConfig
  ) throws(ModelError) -> RopeScaling {
    if let divisors = try positiveNumbers(RopeKey.divisors) {
      try require(
        divisors.count == featureCount / 2,
        "\(RopeKey.divisors) has \(divisors.count) values, not \(featureCount / 2)")
      return .divisors(divisors)
    }
    let original = try count(RopeKey.originalContext) ?? config.contextCount
    let attentionFactor = Float(try number(RopeKey.attentionFactor) ?? 1)
    if let long = try positiveNumbers(RopeKey.longFactors),
      let short = try positiveNumbers(RopeKey.shortFactors)
    {
      return .longRope(
        LongRopeScaling(
          shortFactors: short, longFactors: long, originalContext: original,
          attentionFactor: attentionFactor))
    }
    if let factor = try number(RopeKey.dynamicFactor) {
      return .dynamic(factor: Float(factor), originalContext: original)
    }
    switch string(RopeKey.kind) ?? "none" {
    case "none", "longrope": return .none
    case "linear":
      let factor = try positive(RopeKey.factor) ?? 1
      return factor == 1 ? .none : .linear(factor: factor)
    case "yarn":
      let factor = try positive(RopeKey.factor) ?? 1
      return .yarn(
        YarnScaling(
          factor: factor, originalContext: original,
          fastTurnCount: try positive(RopeKey.fastTurnCount) ?? 32,
          slowTurnCount: try positive(RopeKey.slowTurnCount) ?? 1,
          attentionFactor: YarnScaling.usualAttentionFactor(factor) * attentionFactor))
    case let kind:
      throw ModelError(
        .unsupported,
        "rope scaling \"\(kind)\" is not supported; Nibble knows linear, yarn and longrope")
    }
  }

  private func positive(_ key: String) throws(ModelError) -> Float? {
    guard let value = try number(key).map({ Float($0) }) else { return nil }
    try require(value.isFinite && value > 0, "\(label(key)) is \(value)")
    return value
  }
}

extension RopeConfig {
  /// The names of the tensors that hold rotary factors in GGUF files.
  static let ggufTensorNames: Set<String> = [
    RopeKey.divisors, RopeKey.longFactors, RopeKey.shortFactors,
  ]

  /// The tensors that a GGUF file holds for this embedding, by name.
  var ggufTensors: [(name: String, values: [Float])] {
    if case .longRope(let longRope) = scaling {
      return [
        (RopeKey.longFactors, longRope.longFactors), (RopeKey.shortFactors, longRope.shortFactors),
      ]
    }
    return divisors.map { [(RopeKey.divisors, $0)] } ?? []
  }

  /// Writes the keys of a GGUF file.
  func write(to metadata: inout Metadata, prefix: String) {
    func set(_ key: String, _ value: MetadataValue) { metadata["\(prefix).\(key)"] = value }
    set(RopeKey.base, .float32(base))
    set(RopeKey.featureCount, .uint32(UInt32(featureCount)))
    switch scaling {
    case .none, .llama3, .divisors: break
    case .linear(let factor):
      set(RopeKey.kind, .string("linear"))
      set(RopeKey.factor, .float32(factor))
    case .dynamic(let factor, let originalContext):
      set(RopeKey.dynamicFactor, .float32(factor))
      set(RopeKey.originalContext, .uint32(UInt32(originalContext)))
    case .yarn(let yarn):
      set(RopeKey.kind, .string("yarn"))
      set(RopeKey.factor, .float32(yarn.factor))
      set(RopeKey.originalContext, .uint32(UInt32(yarn.originalContext)))
      set(RopeKey.fastTurnCount, .float32(yarn.fastTurnCount))
      set(RopeKey.slowTurnCount, .float32(yarn.slowTurnCount))
      let usual = YarnScaling.usualAttentionFactor(yarn.factor)
      if abs(yarn.attentionFactor / usual - 1) > 1e-6 {
        set(RopeKey.attentionFactor, .float32(yarn.attentionFactor / usual))
      }
    case .longRope(let longRope):
      set(RopeKey.kind, .string("longrope"))
      set(RopeKey.originalContext, .uint32(UInt32(longRope.originalContext)))
      set(RopeKey.attentionFactor, .float32(longRope.attentionFactor))
    }
  }
}
