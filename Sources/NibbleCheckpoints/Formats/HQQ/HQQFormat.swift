public import NibbleQuantization
internal import NibbleTensors

/// Folders that transformers writes with hqq's layers, for reading (Docs/Formats/hqq.md). Each layer brings its settings as
/// tensors of their own; config.json only announces the method.
public struct HQQFormat: FolderFormat {
  public static let name = "hqq"

  public static func announced(
    by file: (String) throws(CheckpointError) -> JSONValue?
  ) throws(CheckpointError) -> HQQFormat? {
    guard let config = try file("config.json"),
      config["quantization_config"]?["quant_method"]?.string == "hqq"
    else { return nil }
    return HQQFormat()
  }

  public func gather(
    _ records: [TensorRecord]
  ) throws(CheckpointError) -> (tensors: [TensorRecord], notes: [String]) {
    let byName = Dictionary(records.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var matrices: [String: TensorRecord] = [:]
    var absorbed: Set<String> = []
    for words in records where words.name.hasSuffix(".W_q") {
      let module = String(words.name.dropLast(".W_q".count))
      guard byName["\(module).weight"] == nil else {
        throw CheckpointError(
          .malformed, "stands in the folder twice, once quantized", tensor: "\(module).weight")
      }
      var tensors: [String: TensorRecord] = [:]
      for name in HQQArrays.names {
        guard let tensor = byName["\(module).\(name)"] else { continue }
        tensors[name] = tensor
        absorbed.insert(tensor.name)
      }
      matrices[words.name] = try HQQArrays(module: module, tensors: tensors).record()
    }
    let tensors = records.compactMap { record in
      matrices[record.name] ?? (absorbed.contains(record.name) ? nil : record)
    }
    return (tensors, [])
  }

  public func layout(for scheme: Scheme) -> any ArrayLayout {
    HQQLayout(bitCount: 4, numbers: .float16)
  }

  public func arrayName(_ part: String, of tensor: String) -> String {
    let module = tensor.hasSuffix(".weight") ? String(tensor.dropLast(".weight".count)) : tensor
    return "\(module).\(part)"
  }

  public func configuration(
    of plans: [TensorPlan], config: JSONObject
  ) throws(CheckpointError) -> [String: JSONObject] {
    throw CheckpointError(.unsupported, HQQLayout.refusal)
  }
}
