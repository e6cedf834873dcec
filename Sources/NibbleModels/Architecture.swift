/// A family of models: how its tensors are named and how its blocks compute.
///
/// The forward pass is written once, over a ``ForwardBackend``; inference, and later the gradient tape and the graph
/// tracer, interpret the same lines.
public protocol Architecture: Sendable {
  /// The value of `general.architecture` in GGUF files.
  static var ggufName: String { get }
  /// The class names in `config.json` that this architecture runs.
  static var classNames: [String] { get }
  /// The values of `model_type` that this architecture runs, the usual one first.
  static var modelTypes: [String] { get }
  /// How GGUF files of this architecture pair the features that turn together.
  static var ggufPairing: RopeConfig.Pairing { get }
  /// The tensors' names.
  static var names: [RoleName] { get }

  var config: ModelConfig { get }
  init(config: ModelConfig)

  /// The residual stream after block `index`; `x` is `[tokens, hidden]`.
  func block<Backend: ForwardBackend>(
    _ index: Int, _ x: Backend.Value, on backend: Backend
  ) -> Backend.Value
}

extension Architecture {
  /// The residual stream of `tokens` after all blocks and the last norm, `[tokens, hidden]`.
  public func hidden<Backend: ForwardBackend>(
    _ tokens: [Int], on backend: Backend
  ) -> Backend.Value {
    var x = backend.embed(tokens)
    for index in 0..<config.blockCount { x = block(index, x, on: backend) }
    return backend.norm(x, TensorID(.outputNorm))
  }
}
