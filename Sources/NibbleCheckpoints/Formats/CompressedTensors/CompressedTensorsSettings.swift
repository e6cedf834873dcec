internal import _StringProcessing

/// What `quantization_config` of compressed-tensors says.
struct CompressedTensorsSettings: Sendable {
  var groups: [CompressedTensorsGroup]
  /// What the user should hear of, a line each.
  var notes: [String]

  /// Reads the settings.
  ///
  /// - Throws: ``CheckpointError`` that names the key which is broken or not supported.
  init(_ settings: JSONObject) throws(CheckpointError) {
    func fault(_ message: String) -> CheckpointError {
      CheckpointError(.unsupported, "quantization_config: \(message)", file: "config.json")
    }
    var format: String?
    if let value = settings["format"], !value.isNull {
      guard let text = value.string else { throw fault("format is no name") }
      format = text
      let refused = ["marlin-24", "sparse-bitmask", "sparse-24-bitmask"]
      if refused.contains(text) {
        throw fault("format is \(text): sparse weights cannot be read")
      }
    }
    if let sparsity = settings["sparsity_config"]?["format"]?.string, sparsity != "dense" {
      throw fault("sparsity_config is \(printable(sparsity)): sparse weights cannot be read")
    }
    if let transforms = settings["transform_config"]?["config_groups"]?.object,
      transforms.count > 0
    {
      throw fault("transform_config rotates weights, which cannot be undone here")
    }
    guard let list = settings["config_groups"]?.object, list.count > 0 else {
      throw fault("config_groups are missing")
    }
    groups = []
    notes = []
    // With several formats each group names its own.
    let common = format == "mixed-precision" ? nil : format
    for key in list.keys {
      guard let value = list[key] else { continue }
      if let group = try CompressedTensorsGroup(key, value, format: common) {
        groups.append(group)
      }
      if let activations = value["input_activations"], !activations.isNull {
        let bits = activations["num_bits"]?.integer.map { " to \($0) bits" } ?? ""
        notes.append("config.json rounds the inputs of \(printable(key))\(bits), which is not done")
      }
    }
    if let cache = settings["kv_cache_scheme"], !cache.isNull {
      notes.append("config.json quantizes the key-value cache, which is not done")
    }
  }

  /// The group of a quantized module: exact names come before regular expressions, and these before names of classes,
  /// as in compressed-tensors.
  ///
  /// - Throws: ``CheckpointError`` when none is about it, or a regular expression is broken.
  func group(of module: String) throws(CheckpointError) -> CompressedTensorsGroup {
    if let group = groups.first(where: { $0.targets.contains(module) }) { return group }
    for group in groups {
      for target in group.targets where target.hasPrefix("re:") {
        guard let regex = try? Regex(String(target.dropFirst(3))) else {
          throw CheckpointError(
            .unsupported,
            "config_groups.\(printable(group.name)).targets holds \(printable(target)), which is no "
              + "regular expression", file: "config.json")
        }
        if (try? regex.prefixMatch(in: module)) != nil { return group }
      }
    }
    // Quantized modules are linear layers, whatever their class is called.
    if let group = groups.first(where: { $0.targets.contains("Linear") }) { return group }
    throw CheckpointError(
      .malformed, "is quantized, and no group of quantization_config is about it",
      tensor: module + ".weight")
  }
}
