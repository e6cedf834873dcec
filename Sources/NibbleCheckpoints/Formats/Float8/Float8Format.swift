public import NibbleQuantization
internal import NibbleTensors

/// The folders that transformers calls "fp8": 8-bit floats with a scale for each block of rows and columns, which the file
/// calls the inverse of a scale and multiplies by.
public struct Float8Format: FolderFormat {
  public static let name = "fp8"

  /// Rows and columns that share a scale.
  private let block: (rowCount: Int, columnCount: Int)

  /// A format to write in, for matrices whose blocks of 128 rows share their scales.
  public init() { block = (128, 128) }

  private init(block: (Int, Int)) { self.block = block }

  public static func announced(
    by file: (String) throws(CheckpointError) -> JSONValue?
  ) throws(CheckpointError) -> Float8Format? {
    guard let settings = try file("config.json")?["quantization_config"],
      settings["quant_method"]?.string == name
    else { return nil }
    func fault(_ reason: String) -> CheckpointError {
      CheckpointError(.unsupported, "quantization_config.\(reason)", file: "config.json")
    }
    if let format = settings["fmt"], !format.isNull, format.string != "e4m3" {
      throw fault("fmt is not e4m3")
    }
    guard let sizes = settings["weight_block_size"], !sizes.isNull else {
      throw fault("weight_block_size is missing: only scales of blocks can be read")
    }
    let numbers = sizes.array?.map { $0.integer ?? 0 } ?? []
    let lengths = 1...CompressedTensorsGroup.largestLength
    guard numbers.count == 2, numbers.allSatisfy({ lengths.contains($0) }) else {
      throw fault("weight_block_size is no pair of rows and columns")
    }
    return Float8Format(block: (numbers[0], numbers[1]))
  }

  public func gather(
    _ records: [TensorRecord]
  ) throws(CheckpointError) -> (tensors: [TensorRecord], notes: [String]) {
    var arrays = CompressedArrays(records)
    var unusedCount = 0
    for record in records {
      if record.name.hasSuffix(".activation_scale") || record.name.hasSuffix(".input_scale") {
        arrays.drop(record.name)
        unusedCount += 1
      }
      guard record.name.hasSuffix(".weight"), record.type == .plain(.float8E4M3),
        record.shape.count == 2
      else { continue }
      let module = UnquantizedModules.moduleName(record.name)
      let scales = try arrays.require(module + ".weight_scale_inv", of: record.name)
      guard case .plain(let type) = scales.type, let format = ScaleFormat(plainNumberType: type)
      else {
        throw CheckpointError(
          .unsupported, "its weight_scale_inv is \(scales.type.name), not F16, BF16 or F32",
          tensor: record.name)
      }
      let scheme = Scheme(
        element: .codebook(.e4m3), granularity: .group(block.columnCount), scale: format)
      try arrays.join(
        record.name, scheme: scheme, layout: layout(for: scheme), shape: record.shape
      ) { part in "\(module).\(part)" }
    }
    let tensors = try arrays.gathered()
    if let left = tensors.first(where: { $0.name.hasSuffix(".weight_scale_inv") }) {
      throw CheckpointError(.missing, "belongs to no matrix of 8-bit floats", tensor: left.name)
    }
    return (tensors, unusedCount == 0 ? [] : ["\(unusedCount) scales of activations are not used"])
  }

  public func layout(for scheme: Scheme) -> any ArrayLayout {
    Float8Layout(scaleName: "weight_scale_inv", blockRowCount: block.rowCount)
  }

  public func arrayName(_ part: String, of tensor: String) -> String {
    UnquantizedModules.moduleName(tensor) + "." + part
  }

  public func configuration(
    of plans: [TensorPlan], config: JSONObject
  ) throws(CheckpointError) -> [String: JSONObject] {
    for plan in plans {
      guard case .scheme(let scheme) = plan.type else { continue }
      guard scheme.element == .codebook(.e4m3),
        scheme.granularity == .group(block.columnCount)
      else {
        throw CheckpointError(
          .unsupported, "is \(scheme), not e4m3-g\(block.columnCount)", tensor: plan.name)
      }
    }
    var config = config
    config["compression_config"] = nil
    config["quantization_config"] = [
      "quant_method": .string(Self.name), "fmt": "e4m3", "activation_scheme": "dynamic",
      "weight_block_size": [
        .integer(Int64(block.rowCount)), .integer(Int64(block.columnCount)),
      ],
      "modules_to_not_convert": .array(
        UnquantizedModules.names(in: plans).map { .string($0) }),
    ]
    return ["config.json": config]
  }
}
