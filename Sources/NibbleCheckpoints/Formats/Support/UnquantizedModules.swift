/// The modules of an output that stay in plain numbers, as lists of exceptions name them.
enum UnquantizedModules {
  /// Matrices that are not quantized, without ".weight", and the output layer, which may share the embedding's matrix and
  /// then is no tensor of its own.
  static func names(in plans: [TensorPlan]) -> [String] {
    var names: [String] = []
    var quantizesOutput = false
    for plan in plans {
      let module = moduleName(plan.name)
      if plan.type.isQuantized {
        quantizesOutput = quantizesOutput || module == "lm_head" || module.hasSuffix(".lm_head")
      } else if plan.shape.count >= 2, plan.name.hasSuffix(".weight") {
        names.append(module)
      }
    }
    if !quantizesOutput, !names.contains("lm_head") { names.append("lm_head") }
    return names
  }

  /// The module that a matrix belongs to: its name without ".weight".
  static func moduleName(_ tensor: String) -> String {
    tensor.hasSuffix(".weight") ? String(tensor.dropLast(".weight".count)) : tensor
  }
}
