internal import NibbleCheckpoints

/// A family of models: what its files hold, how its tensors are named and how its blocks compute.
///
/// The forward pass is written once, over a ``ForwardBackend``; inference, and later the gradient tape and the graph
/// tracer, interpret the same lines.
protocol Architecture: Sendable {
  /// The value of `general.architecture` in GGUF files.
  static var ggufName: String { get }
  /// Whether GGUF files of this name and a key `expert_count` above 0 belong to this architecture, or those without.
  static var mixesExperts: Bool { get }
  /// The class names in `config.json` that this architecture runs.
  static var classNames: [String] { get }
  /// The values of `model_type` that this architecture runs, each at the place of its class name.
  static var modelTypes: [String] { get }
  /// The hyperparameters in both kinds of files.
  static var fields: [ConfigField] { get }
  /// The function between a feed-forward network's two halves, and the key in `config.json` that names it.
  static var activation: Activation { get }
  static var activationKey: String { get }
  /// How GGUF files of this architecture pair the features that turn together; nil where positions are learned.
  static var rotaryPairing: RopeConfig.Pairing? { get }
  /// Whether the embeddings are the output matrix too where `config.json` does not say it.
  static var tiesEmbeddings: Bool { get }
  /// The tensors' names.
  static var names: [RoleName] { get }
  /// Prefixes of tensors that belong to parts which are not the text model.
  static var otherParts: [String] { get }
  /// Which tensors can be scaled against which without changing what the model computes.
  static var scalingGroups: [ScalingGroup] { get }

  /// Reads what ``fields`` does not tell from `config.json`.
  static func read(_ source: HuggingFaceConfig, into config: inout ModelConfig) throws(ModelError)
  /// Reads what ``fields`` does not tell from a GGUF file.
  static func read(_ source: GGUFConfig, into config: inout ModelConfig) throws(ModelError)
  /// Writes what ``fields`` does not tell to `config.json`.
  static func write(_ config: ModelConfig, to json: inout JSONObject)
  /// Writes what ``fields`` does not tell to the keys of a GGUF file.
  static func write(_ config: ModelConfig, to metadata: inout Metadata)

  var config: ModelConfig { get }
  init(config: ModelConfig)

  /// The residual stream before the first block, `[tokens, hidden]`.
  func embed<Backend: ForwardBackend>(_ tokens: [Int], on backend: Backend) -> Backend.Value
  /// The residual stream after block `index`; `x` is `[tokens, hidden]`.
  func block<Backend: ForwardBackend>(
    _ index: Int, _ x: Backend.Value, on backend: Backend
  ) -> Backend.Value
  /// The last norm; `x` is `[tokens, hidden]`.
  func finish<Backend: ForwardBackend>(_ x: Backend.Value, on backend: Backend) -> Backend.Value
}

extension Architecture {
  static var mixesExperts: Bool { false }
  static var fields: [ConfigField] { .transformer }
  static var activation: Activation { .silu }
  static var activationKey: String { "hidden_act" }
  static var rotaryPairing: RopeConfig.Pairing? { .halves }
  static var tiesEmbeddings: Bool { false }
  static var otherParts: [String] { [] }

  static func read(_ source: HuggingFaceConfig, into config: inout ModelConfig) throws(ModelError) {
  }
  static func read(_ source: GGUFConfig, into config: inout ModelConfig) throws(ModelError) {}
  static func write(_ config: ModelConfig, to json: inout JSONObject) {}
  static func write(_ config: ModelConfig, to metadata: inout Metadata) {}

  func embed<Backend: ForwardBackend>(_ tokens: [Int], on backend: Backend) -> Backend.Value {
    backend.embed(tokens)
  }

  func finish<Backend: ForwardBackend>(_ x: Backend.Value, on backend: Backend) -> Backend.Value {
    backend.norm(x, TensorID(.outputNorm))
  }

  /// The residual stream of `tokens` after all blocks and the last norm, `[tokens, hidden]`.
  func hidden<Backend: ForwardBackend>(
    _ tokens: [Int], on backend: Backend
  ) -> Backend.Value {
    var x = embed(tokens, on: backend)
    for index in 0..<config.blockCount { x = block(index, x, on: backend) }
    return finish(x, on: backend)
  }
}
