/// The function between a feed-forward network's two halves.
public enum Activation: Sendable {
  /// x / (1 + e⁻ˣ).
  case silu
  /// GELU with the tanh approximation (Hendrycks and Gimpel 2016, arXiv:1606.08415).
  case geluTanh

  /// The names in `config.json`, the usual one first.
  var huggingFaceNames: [String] {
    switch self {
    case .silu: ["silu", "swish"]
    case .geluTanh: ["gelu_pytorch_tanh", "gelu_new"]
    }
  }
}
