internal import NibbleQuantization

/// The `quantization_config` of a GPTQ folder: what most matrices have, and `dynamic` rules for the others.
struct GPTQConfiguration {
  let settings: JSONObject

  /// What may differ between matrices.
  private struct Traits: Hashable {
    var bits: Int
    var groupSize: Int
    var isSymmetric: Bool

    init(_ scheme: Scheme) {
      bits = scheme.element.bitCount
      groupSize = -1
      if case .group(let length) = scheme.granularity { groupSize = length }
      isSymmetric = scheme.offset == .none
    }
  }

  /// - Throws: ``CheckpointError`` for tensors that GPTQ cannot store.
  init(_ plans: [TensorPlan], version: GPTQLayout.Version) throws(CheckpointError) {
    let found = try PackedPlans(plans, format: "GPTQ", layout: GPTQLayout(version: version))
    for matrix in found.matrices where matrix.scheme.scale == .float32 {
      throw CheckpointError(
        .unsupported, "loaders of GPTQ read scales of 16 bits, and \(matrix.scheme) has 32",
        tensor: "\(matrix.module).weight")
    }
    let traits = found.matrices.map { Traits($0.scheme) }
    let base = PackedPlans.usual(traits) ?? traits[0]

    var rules = JSONObject()
    for (matrix, own) in zip(found.matrices, traits) where own != base {
      var rule = JSONObject()
      if own.bits != base.bits { rule["bits"] = .integer(Int64(own.bits)) }
      if own.groupSize != base.groupSize { rule["group_size"] = .integer(Int64(own.groupSize)) }
      if own.isSymmetric != base.isSymmetric { rule["sym"] = .bool(own.isSymmetric) }
      rules["+:" + Self.pattern(matrix.module)] = .object(rule)
    }
    for module in found.plainModules {
      rules["-:" + Self.pattern(module)] = .object(JSONObject())
    }

    var settings = JSONObject([
      "quant_method": "gptq",
      "bits": .integer(Int64(base.bits)),
      "group_size": .integer(Int64(base.groupSize)),
      "desc_act": .bool(found.matrices.contains { $0.scheme.hasColumnOrder }),
      "sym": .bool(base.isSymmetric),
      "checkpoint_format": version == .v1 ? "gptq" : "gptq_v2",
      "lm_head": .bool(found.matrices.contains { PackedPlans.isHead($0.module) }),
      "pack_dtype": "int32",
    ])
    if rules.count > 0 { settings["dynamic"] = .object(rules) }
    settings["meta"] = ["quantizer": ["nibble:1"]]
    self.settings = settings
  }

  /// The regular expression that matches `module` alone.
  private static func pattern(_ module: String) -> String {
    var result = "^"
    for character in module {
      if "\\.+*?()[]{}|^$".contains(character) { result += "\\" }
      result.append(character)
    }
    return result + "$"
  }
}
