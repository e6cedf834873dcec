public import NibbleQuantization
internal import NibbleTensors

/// The folders of compressed-tensors, as llm-compressor writes and vLLM reads them: integers of 2 to 8 bits, and 8-bit floats.
public struct CompressedTensorsFormat: FolderFormat {
  public static let name = "compressed-tensors"

  /// What a folder that is read announces; nil where one is written.
  private var settings: CompressedTensorsSettings?

  /// A format to write in.
  public init() {}

  public static func announced(
    by file: (String) throws(CheckpointError) -> JSONValue?
  ) throws(CheckpointError) -> CompressedTensorsFormat? {
    guard let config = try file("config.json") else { return nil }
    var found = config["quantization_config"]?.object
    if found == nil, let older = config["compression_config"]?.object {
      found = older
      // The oldest name no method, or stand in an object of their own.
      if let inner = older["quantization_config"]?.object { found = inner }
      if found?["quant_method"] == nil { found?["quant_method"] = .string(name) }
    }
    guard let found, found["quant_method"]?.string == name else { return nil }
    var format = CompressedTensorsFormat()
    format.settings = try CompressedTensorsSettings(found)
    return format
  }

  public func gather(
    _ records: [TensorRecord]
  ) throws(CheckpointError) -> (tensors: [TensorRecord], notes: [String]) {
    guard let settings else { return (records, []) }
    var notes = settings.notes
    var arrays = CompressedArrays(records)
    for record in records {
      if record.name.hasSuffix(".weight_packed") {
        let module = String(record.name.dropLast(".weight_packed".count))
        try joinPacked(module, record, settings, in: &arrays)
      } else if record.name.hasSuffix(".weight"),
        record.type == .plain(.int8) || record.type == .plain(.float8E4M3)
      {
        let module = UnquantizedModules.moduleName(record.name)
        if record.type == .plain(.int8) {
          try joinBytes(module, record, settings, in: &arrays)
        } else {
          try joinFloats(module, record, settings, in: &arrays)
        }
      }
    }
    // Scales of activations and of the cache, and of weights that are stored as they are.
    let unused = [
      ".input_scale", ".input_zero_point", ".output_scale", ".output_zero_point", ".k_scale",
      ".v_scale", ".q_scale", ".k_zero_point", ".v_zero_point",
    ]
    var unusedCount = 0
    for record in records where unused.contains(where: { record.name.hasSuffix($0) }) {
      arrays.drop(record.name)
      unusedCount += 1
    }
    if unusedCount > 0 {
      notes.append("\(unusedCount) scales of activations are not used")
    }
    let tensors = try arrays.gathered()
    let fragments = [".weight_scale", ".weight_zero_point", ".weight_shape", ".weight_g_idx"]
    if let left = tensors.first(where: { tensor in
      fragments.contains { tensor.name.hasSuffix($0) }
    }) {
      throw CheckpointError(
        .missing, "belongs to no quantized matrix", tensor: left.name)
    }
    return (tensors, notes)
  }

  public func layout(for scheme: Scheme) -> any ArrayLayout {
    scheme.element == .codebook(.e4m3) ? Float8Layout() : CompressedTensorsLayout()
  }

  public func arrayName(_ part: String, of tensor: String) -> String {
    UnquantizedModules.moduleName(tensor) + "." + part
  }

  public func configuration(
    of plans: [TensorPlan], config: JSONObject
  ) throws(CheckpointError) -> [String: JSONObject] {
    var config = config
    config["compression_config"] = nil
    config["quantization_config"] = .object(try Self.quantizationConfig(of: plans))
    return ["config.json": config]
  }
}
