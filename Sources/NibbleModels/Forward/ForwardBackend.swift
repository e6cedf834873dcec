/// What an architecture's forward pass is written in.
///
/// A value is a matrix `[tokens, features]`. Statistics for calibration are taken in ``linear(_:_:)-1``, the one place
/// through which every weight matrix is applied.
public protocol ForwardBackend {
  associatedtype Value

  /// The rows of the embedding table for `tokens`, `[tokens, hidden]`.
  func embed(_ tokens: [Int]) -> Value
  /// x / √(mean x² + ε) · weight for each row.
  func norm(_ x: Value, _ weight: TensorID) -> Value
  /// x Wᵀ + b for each of several layers that share their input.
  func linear(_ x: Value, _ layers: [TensorID]) -> [Value]
  /// The rotary position embedding of each head, at the positions of the current tokens.
  func rope(_ x: Value) -> Value
  /// Causal attention of the current tokens over themselves and what the block's cache holds.
  func attend(_ queries: Value, _ keys: Value, _ values: Value, block: Int) -> Value
  /// silu(gate) · up, element by element.
  func gate(_ gate: Value, _ up: Value) -> Value
  /// x + y.
  func add(_ x: Value, _ y: Value) -> Value
}

extension ForwardBackend {
  /// x Wᵀ + b.
  func linear(_ x: Value, _ layer: TensorID) -> Value { linear(x, [layer])[0] }
}
