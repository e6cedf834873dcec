internal import NibbleQuantization

extension CompressedTensorsFormat {
  /// The version of compressed-tensors whose configuration this is.
  private static let version = "0.19.0"

  /// One group for each scheme; with several, each names its modules.
  static func quantizationConfig(of plans: [TensorPlan]) throws(CheckpointError) -> JSONObject {
    var schemes: [Scheme] = []
    var modules: [Scheme: [String]] = [:]
    for plan in plans {
      guard case .scheme(let scheme) = plan.type else { continue }
      if modules[scheme] == nil { schemes.append(scheme) }
      modules[scheme, default: []].append(UnquantizedModules.moduleName(plan.name))
    }
    guard !schemes.isEmpty else {
      throw CheckpointError(.unsupported, "no tensor is quantized")
    }
    var groups = JSONObject()
    var formats: [String] = []
    for (index, scheme) in schemes.enumerated() {
      let format = scheme.element == .codebook(.e4m3) ? "float-quantized" : "pack-quantized"
      if !formats.contains(format) { formats.append(format) }
      let names = schemes.count == 1 ? ["Linear"] : modules[scheme] ?? []
      groups["group_\(index)"] = [
        "targets": .array(names.map { .string($0) }), "format": .string(format),
        "input_activations": nil, "output_activations": nil,
        "weights": try weights(scheme),
      ]
    }
    return JSONObject([
      "quant_method": .string(name),
      "format": .string(formats.count == 1 ? formats[0] : "mixed-precision"),
      "quantization_status": "compressed", "version": .string(version),
      "global_compression_ratio": nil, "kv_cache_scheme": nil,
      "ignore": .array(UnquantizedModules.names(in: plans).map { .string($0) }),
      "sparsity_config": [:], "transform_config": [:], "config_groups": .object(groups),
    ])
  }

  private static func weights(_ scheme: Scheme) throws(CheckpointError) -> JSONValue {
    let (bitCount, type): (Int, String)
    switch scheme.element {
    case .int(let bits), .uint(let bits): (bitCount, type) = (bits, "int")
    case .codebook(.e4m3): (bitCount, type) = (8, "float")
    default:
      throw CheckpointError(.unsupported, "compressed-tensors cannot describe \(scheme)")
    }
    let (strategy, groupLength): (String, JSONValue)
    switch scheme.granularity {
    case .tensor: (strategy, groupLength) = ("tensor", .null)
    case .row: (strategy, groupLength) = ("channel", .null)
    case .group(let length): (strategy, groupLength) = ("group", .integer(Int64(length)))
    case .column, .block:
      throw CheckpointError(.unsupported, "compressed-tensors cannot describe \(scheme)")
    }
    return [
      "num_bits": .integer(Int64(bitCount)), "type": .string(type),
      "symmetric": .bool(scheme.offset == .none), "strategy": .string(strategy),
      "group_size": groupLength, "block_structure": nil, "dynamic": false,
      "actorder": scheme.hasColumnOrder ? "group" : nil, "scale_dtype": nil, "zp_dtype": nil,
      "observer": "minmax", "observer_kwargs": [:],
    ]
  }
}
