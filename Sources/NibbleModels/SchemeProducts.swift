internal import NibbleCheckpoints

/// How weights in the schemes of folders (GPTQ, AWQ, MLX, Nibble's own ...) are multiplied. Those of GGUF's types are always
/// multiplied as integers.
public enum SchemeProducts: Sendable {
  /// As integers, with activations rounded to 8 bits in blocks of 32, where there are kernels for the scheme; in float
  /// elsewhere. Weights are copied once, to the order in which the kernels read them.
  case integer
  /// In float, with weights that are expanded for each product: many times slower, nothing rounded, nothing copied.
  case float
}

extension ModelSource {
  /// Whether some weights are stored as a scheme.
  var holdsSchemes: Bool {
    records.values.contains { record in
      if case .scheme = record.type { true } else { false }
    }
  }
}
