/// One number of a ``ModelConfig`` and how each kind of file spells it. An architecture lists its fields once; reading and
/// writing both kinds of file follow from the list.
struct ConfigField: Sendable {
  /// A value as files hold it.
  enum Scalar: Sendable, Equatable {
    case count(Int)
    case number(Float)
    case flag(Bool)
  }

  /// The key in `config.json`; nil where that does not say it.
  let huggingFace: String?
  /// The keys of a GGUF file, after the architecture's name and a dot; readers take the first.
  let gguf: [String]
  /// Reads the value under a key.
  private let read: @Sendable (any ConfigSource, String) throws(ModelError) -> Scalar?
  private let assign: @Sendable (inout ModelConfig, Scalar) -> Void
  /// The value to write; nil for none.
  let value: @Sendable (ModelConfig) -> Scalar?
  /// What stands in for an absent key; nil where it must be there.
  private let fallback: (@Sendable (ModelConfig) -> Scalar?)?

  /// A count that files must hold.
  init(_ path: Path<Int>, _ huggingFace: String?, _ gguf: String...) {
    self.init(path, huggingFace, gguf, least: 1, fallback: nil)
  }

  /// A count with a stand-in, at least `least`.
  init(
    _ path: Path<Int>, _ huggingFace: String?, _ gguf: String..., least: Int = 1,
    or fallback: @escaping @Sendable (ModelConfig) -> Int
  ) {
    self.init(path, huggingFace, gguf, least: least) { .count(fallback($0)) }
  }

  /// Where a value stands in a configuration.
  typealias Path<Value> = any WritableKeyPath<ModelConfig, Value> & Sendable

  private init(
    _ path: Path<Int>, _ huggingFace: String?, _ gguf: [String], least: Int,
    fallback: (@Sendable (ModelConfig) -> Scalar?)?
  ) {
    self.huggingFace = huggingFace
    self.gguf = gguf
    self.fallback = fallback
    read = { source, key throws(ModelError) in
      guard let value = try source.count(key) else { return nil }
      try require(value >= least, "\(source.label(key)) is \(value)")
      return .count(value)
    }
    assign = { config, scalar in
      if case .count(let value) = scalar { config[keyPath: path] = value }
    }
    value = { .count($0[keyPath: path]) }
  }

  /// A count that is absent, or 0, where it does not apply.
  init(
    optional path: Path<Int?>, _ huggingFace: String?,
    _ gguf: String...
  ) {
    self.huggingFace = huggingFace
    self.gguf = gguf
    fallback = { _ in nil }
    read = { source, key throws(ModelError) in
      try source.count(key).flatMap { $0 == 0 ? nil : .count($0) }
    }
    assign = { config, scalar in
      if case .count(let value) = scalar { config[keyPath: path] = value }
    }
    value = { $0[keyPath: path].map { .count($0) } }
  }

  /// A number with a stand-in.
  init(
    _ path: Path<Float>, _ huggingFace: String?,
    _ gguf: String..., or fallback: Float
  ) {
    self.huggingFace = huggingFace
    self.gguf = gguf
    self.fallback = { _ in .number(fallback) }
    read = { source, key throws(ModelError) in
      try source.number(key).map { .number(Float($0)) }
    }
    assign = { config, scalar in
      if case .number(let value) = scalar { config[keyPath: path] = value }
    }
    value = { .number($0[keyPath: path]) }
  }

  /// A number that is absent, or 0, where it does not apply.
  init(
    optional path: Path<Float>, _ huggingFace: String?,
    _ gguf: String...
  ) {
    self.huggingFace = huggingFace
    self.gguf = gguf
    fallback = { _ in nil }
    read = { source, key throws(ModelError) in
      try source.number(key).map { .number(Float($0)) }
    }
    assign = { config, scalar in
      if case .number(let value) = scalar { config[keyPath: path] = value }
    }
    value = { $0[keyPath: path] == 0 ? nil : .number($0[keyPath: path]) }
  }

  /// A flag with a stand-in.
  init(
    _ path: Path<Bool>, _ huggingFace: String?,
    _ gguf: String..., or fallback: Bool
  ) {
    self.huggingFace = huggingFace
    self.gguf = gguf
    self.fallback = { _ in .flag(fallback) }
    read = { source, key throws(ModelError) in try source.flag(key).map { .flag($0) } }
    assign = { config, scalar in if case .flag(let value) = scalar { config[keyPath: path] = value }
    }
    value = { .flag($0[keyPath: path]) }
  }

  /// Reads the field from `source` into `config`.
  ///
  /// - Throws: ``ModelError`` that names the key.
  func read(from source: any ConfigSource, into config: inout ModelConfig) throws(ModelError) {
    let key = source.isGGUF ? gguf.first : huggingFace
    if let key, let scalar = try read(source, key) {
      assign(&config, scalar)
    } else if let fallback {
      if let scalar = fallback(config) { assign(&config, scalar) }
    } else if let key {
      throw ModelError(.missing, "\(source.label(key)) is missing")
    }
  }
}

extension [ConfigField] {
  /// The fields of Llama, whose spelling most families kept.
  static let transformer: [ConfigField] = [
    ConfigField(\.blockCount, "num_hidden_layers", "block_count"),
    ConfigField(\.hiddenCount, "hidden_size", "embedding_length"),
    ConfigField(\.feedForwardCount, "intermediate_size", "feed_forward_length"),
    ConfigField(\.headCount, "num_attention_heads", "attention.head_count"),
    ConfigField(\.keyValueHeadCount, "num_key_value_heads", "attention.head_count_kv") {
      $0.headCount
    },
    ConfigField(\.headFeatureCount, "head_dim", "attention.key_length", "attention.value_length") {
      $0.hiddenCount / $0.headCount
    },
    ConfigField(\.vocabularyCount, "vocab_size", "vocab_size") { $0.vocabularyCount },
    ConfigField(\.contextCount, "max_position_embeddings", "context_length") { _ in 2048 },
    ConfigField(\.normEpsilon, "rms_norm_eps", "attention.layer_norm_rms_epsilon", or: 1e-6),
  ]
}

/// A file's hyperparameters by key.
protocol ConfigSource {
  /// Whether the keys are those of GGUF files.
  var isGGUF: Bool { get }
  /// The name of a key in messages.
  func label(_ key: String) -> String
  /// A whole number from 0 to 2⁴⁰; nil when absent.
  func count(_ key: String) throws(ModelError) -> Int?
  /// A number; nil when absent.
  func number(_ key: String) throws(ModelError) -> Double?
  /// A truth value; nil when absent.
  func flag(_ key: String) throws(ModelError) -> Bool?
}
