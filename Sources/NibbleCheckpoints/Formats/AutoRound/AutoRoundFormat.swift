public import NibbleQuantization

/// Folders that AutoRound wrote in its own name: the arrays of GPTQ or AWQ, with other settings (Docs/Formats/gptq.md). They
/// are read only; the same arrays can be written as GPTQ or AWQ folders.
public struct AutoRoundFormat: FolderFormat {
  public static let name = "auto-round"

  private enum Arrays {
    case gptq(GPTQMatrices)
    case awq(AWQMatrices)
  }
  private let arrays: Arrays

  private static let methods = ["auto-round", "auto_round", "intel/auto-round"]

  public static func announced(
    by file: (String) throws(CheckpointError) -> JSONValue?
  ) throws(CheckpointError) -> AutoRoundFormat? {
    let settings = try GPTQSettingValues.quantizationConfig(try file("config.json"))
    guard let settings, let method = settings["quant_method"]?.string,
      methods.contains(method.lowercased())
    else { return nil }
    return try AutoRoundFormat(GPTQSettingValues([("config.json", settings)]))
  }

  private init(_ values: GPTQSettingValues) throws(CheckpointError) {
    if let type = try values.word("data_type"), type != "int" {
      throw values.error(
        .unsupported,
        "AutoRound's data type \"\(printable(type))\" is not supported; int is")
    }
    if let bits = try values.integer("act_bits"), bits < 16 {
      throw values.error(
        .unsupported, "activations of \(bits) bits, which AutoRound asks for, are not supported")
    }
    var groups = AnnouncedGroups()
    groups.bits = try values.integer("bits")
    groups.groupSize = try values.groupSize("group_size")
    var isSymmetric = try values.bool("sym")
    let announced = try Self.overrides(values, base: groups, isSymmetric: &isSymmetric)

    guard let packing = try values.word("packing_format", "backend") else {
      throw values.error(
        .missing, "AutoRound's packing_format, which tells how weights are arranged, is missing")
    }
    switch packing {
    case "auto_round:auto_gptq", "auto_gptq", "auto_round:gptq":
      arrays = .gptq(
        GPTQMatrices(version: .v1, isSymmetric: isSymmetric, announced: announced))
    case "auto_round", "auto_round:exllamav2", "auto_round:gptqmodel":
      arrays = .gptq(
        GPTQMatrices(version: .v2, isSymmetric: isSymmetric, announced: announced))
    case "auto_round:auto_awq", "auto_awq":
      arrays = .awq(AWQMatrices(arrangement: .gemm, announced: announced))
    default:
      throw values.error(
        .unsupported,
        "AutoRound's packing_format \"\(printable(packing))\" is not supported; those of GPTQ and "
          + "AWQ are")
    }
  }

  /// The groups of all layers, then those of layers with settings of their own. Layers of 16 bits and more are plain.
  private static func overrides(
    _ values: GPTQSettingValues, base: AnnouncedGroups, isSymmetric: inout Bool?
  ) throws(CheckpointError) -> [AnnouncedGroups] {
    var announced = [base]
    let symmetry = isSymmetric
    guard let layers = try values.object("extra_config") else { return announced }
    for layer in layers.keys {
      guard let object = layers[layer]?.object else {
        throw values.error(
          .malformed, "\(printable(layer)) in extra_config is no JSON object")
      }
      let own = values.inner(object, name: "extra_config, \(printable(layer))")
      var groups = base
      if let bits = try own.integer("bits") { groups.bits = bits }
      if let size = try own.groupSize("group_size") { groups.groupSize = size }
      guard groups.bits ?? 4 < 16 else { continue }
      if !announced.contains(groups) { announced.append(groups) }
      if let symmetric = try own.bool("sym"), symmetric != symmetry { isSymmetric = nil }
    }
    return announced
  }

  public func gather(
    _ records: [TensorRecord]
  ) throws(CheckpointError) -> (tensors: [TensorRecord], notes: [String]) {
    switch arrays {
    case .gptq(let matrices): try matrices.gather(records)
    case .awq(let matrices): try matrices.gather(records)
    }
  }

  public func layout(for scheme: Scheme) -> any ArrayLayout {
    switch arrays {
    case .gptq(let matrices): GPTQLayout(version: matrices.version)
    case .awq(let matrices): AWQLayout(arrangement: matrices.arrangement)
    }
  }

  public func arrayName(_ part: String, of tensor: String) -> String {
    PackedPlans.arrayName(part, of: tensor)
  }

  /// - Throws: ``CheckpointError`` always.
  public func configuration(
    of plans: [TensorPlan], config: JSONObject
  ) throws(CheckpointError) -> [String: JSONObject] {
    throw CheckpointError(
      .unsupported, "AutoRound folders are read only; write gptq or awq, which hold the same arrays"
    )
  }
}
