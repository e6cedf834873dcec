/// What is done to a model before it is quantized: it computes the same, and loses less by rounding.
public enum ModelTransform: String, CaseIterable, Sendable {
  /// Input channels are scaled against what produces them, by what rounding does to the outputs
  /// (``ActivationAwareScaling``).
  case awq
}
