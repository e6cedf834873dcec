/// What an architecture's forward pass is written in.
///
/// A value is a matrix `[tokens, features]`. Statistics for calibration are taken in ``linear(_:_:)-1``, the one place
/// through which every weight matrix is applied.
protocol ForwardBackend {
  associatedtype Value

  /// The rows of the embedding table for `tokens`, `[tokens, hidden]`.
  func embed(_ tokens: [Int]) -> Value
  /// The learned embeddings of the positions of `x`'s tokens, `[tokens, hidden]`.
  func positions(of x: Value) -> Value
  /// x / √(mean x² + ε) · weight for each row (Zhang and Sennrich 2019, arXiv:1910.07467).
  func norm(_ x: Value, _ weight: TensorID) -> Value
  /// The same for each head of each row; the weight has a head's features.
  func headNorm(_ x: Value, _ weight: TensorID) -> Value
  /// (x - mean x) / √(var x + ε) · weight + bias for each row (Ba et al. 2016, arXiv:1607.06450).
  func layerNorm(_ x: Value, _ weight: TensorID) -> Value
  /// x Wᵀ + b for each of several layers that share their input.
  func linear(_ x: Value, _ layers: [TensorID]) -> [Value]
  /// The columns of `x`, cut into parts of `counts`.
  func split(_ x: Value, _ counts: [Int]) -> [Value]
  /// The rotary position embedding of each head, at the positions of the current tokens.
  func rope(_ x: Value, block: Int) -> Value
  /// Causal attention of the current tokens over themselves and what the block's cache holds.
  func attend(_ queries: Value, _ keys: Value, _ values: Value, block: Int) -> Value
  /// GELU with the tanh approximation, element by element.
  func gelu(_ x: Value) -> Value
  /// activation(gate) · up, element by element.
  func gate(_ gate: Value, _ up: Value, _ activation: Activation) -> Value
  /// Σ weight · expert(x) over the experts of each token that score highest. Weights are the softmax over all scores,
  /// divided by their sum where the model says so (Fedus et al. 2022, arXiv:2101.03961; Jiang et al. 2024,
  /// arXiv:2401.04088).
  ///
  /// - Parameters:
  ///   - x: `[tokens, hidden]`.
  ///   - scores: `[tokens, experts]`.
  ///   - block: the block's index.
  ///   - expert: an expert's network, applied to the rows of the tokens that go through it.
  /// - Returns: `[tokens, hidden]`.
  func mix(
    _ x: Value, scores: Value, block: Int, _ expert: (_ index: Int, _ x: Value) -> Value
  ) -> Value
  /// x + y.
  func add(_ x: Value, _ y: Value) -> Value
  /// residual + x Wᵀ + b: what a layer adds to the residual stream. Calibration then knows what the layer's errors meet.
  func add(_ residual: Value, _ layer: TensorID, of x: Value) -> Value
  /// factor · x.
  func scale(_ x: Value, by factor: Float) -> Value
}

extension ForwardBackend {
  /// x Wᵀ + b.
  func linear(_ x: Value, _ layer: TensorID) -> Value { linear(x, [layer])[0] }

  func add(_ residual: Value, _ layer: TensorID, of x: Value) -> Value {
    add(residual, linear(x, layer))
  }
}
