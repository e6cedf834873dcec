internal import NibbleQuantization

/// The tensors of an output whose quantized matrices are linear layers of blocks, as GPTQ and AWQ have them.
///
/// Loaders of both quantize all linear layers of a model's blocks ("model.layers.0.…") unless they are told otherwise, and
/// nothing outside them but, in GPTQ, `lm_head`.
struct PackedPlans {
  /// A quantized matrix.
  struct Matrix {
    let module: String
    let scheme: Scheme
  }

  let matrices: [Matrix]
  /// Modules in blocks whose matrix is not quantized.
  let plainModules: [String]

  /// - Throws: ``CheckpointError`` for quantized tensors that the layout cannot store, that are no matrices, or that stand
  ///   outside the blocks.
  init(
    _ plans: [TensorPlan], format: String, layout: any ArrayLayout
  ) throws(CheckpointError) {
    var matrices: [Matrix] = []
    var plainModules: [String] = []
    for plan in plans {
      let (module, suffix) = PackedModules.split(plan.name)
      guard case .scheme(let scheme) = plan.type else {
        if plan.shape.count == 2, suffix == "weight", Self.isInBlock(module) {
          plainModules.append(module)
        }
        continue
      }
      guard plan.shape.count == 2, suffix == "weight", !module.isEmpty else {
        throw CheckpointError(
          .unsupported,
          "\(format) stores the weights of linear layers, called NAME.weight with two dimensions",
          tensor: plan.name)
      }
      guard Self.isInBlock(module) || Self.isHead(module) else {
        throw CheckpointError(
          .unsupported,
          "\(format) cannot say that a matrix outside the model's blocks is quantized",
          tensor: plan.name)
      }
      if let obstacle = layout.obstacle(
        to: scheme, rowCount: plan.shape[0], columnCount: plan.shape[1])
      {
        throw CheckpointError(.unsupported, obstacle, tensor: plan.name)
      }
      matrices.append(Matrix(module: module, scheme: scheme))
    }
    guard !matrices.isEmpty else {
      throw CheckpointError(.unsupported, "no tensor is quantized, as \(format) needs")
    }
    self.matrices = matrices
    self.plainModules = plainModules
  }

  static func arrayName(_ part: String, of tensor: String) -> String {
    let (module, suffix) = PackedModules.split(tensor)
    return suffix == "weight" && !module.isEmpty ? "\(module).\(part)" : "\(tensor).\(part)"
  }

  /// Whether a part of the module's name is the number of a block.
  private static func isInBlock(_ module: String) -> Bool {
    module.split(separator: ".").contains { part in
      part.utf8.allSatisfy { (48...57).contains($0) }
    }
  }

  static func isHead(_ module: String) -> Bool {
    module == "lm_head" || module.hasSuffix(".lm_head")
  }

  /// The most frequent of some values, the first of several.
  static func usual<Value: Hashable>(_ values: [Value]) -> Value? {
    var counts: [Value: Int] = [:]
    for value in values { counts[value, default: 0] += 1 }
    let largest = counts.values.max()
    return values.first { counts[$0] == largest }
  }
}
