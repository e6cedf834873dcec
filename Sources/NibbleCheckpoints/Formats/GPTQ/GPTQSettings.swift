/// What a folder's configuration says of its GPTQ weights.
struct GPTQSettings: Sendable {
  var version: GPTQLayout.Version
  var isSymmetric: Bool?
  var hasColumnOrder: Bool?
  /// For all matrices, then what overrides it for some.
  var announced: [AnnouncedGroups]
  var notes: [String]

  /// Reads `quantization_config` in `config.json`, and `quantize_config.json`.
  ///
  /// - Returns: nil when they announce no GPTQ.
  /// - Throws: ``CheckpointError`` for settings of the wrong kind, and for layouts that are not supported.
  static func read(
    _ file: (String) throws(CheckpointError) -> JSONValue?
  ) throws(CheckpointError) -> GPTQSettings? {
    var files: [(name: String, settings: JSONObject)] = []
    let main = try GPTQSettingValues.quantizationConfig(try file("config.json"))
    if let main {
      if let method = main["quant_method"]?.string {
        guard method.lowercased() == "gptq" else { return nil }
        files.append(("config.json", main))
      }
    }
    if let separate = try file("quantize_config.json")?.object {
      if let method = separate["quant_method"]?.string, method.lowercased() != "gptq" {
        if files.isEmpty { return nil }
      } else {
        files.append(("quantize_config.json", separate))
      }
    }
    guard !files.isEmpty else { return nil }
    return try GPTQSettings(GPTQSettingValues(files))
  }

  private static let bitsNames = ["bits", "w_bit", "wbits"]
  private static let groupNames = ["group_size", "q_group_size"]
  private static let formatNames = ["checkpoint_format", "format"]

  init(_ values: GPTQSettingValues) throws(CheckpointError) {
    notes = values.contradictions([Self.bitsNames, Self.groupNames, Self.formatNames, ["sym"]])
    if try values.bool("is_marlin_format") == true { throw Self.layoutFault("marlin", values) }
    let format = try values.word("checkpoint_format", "format", "version") ?? "gptq"
    switch format {
    case "gptq": version = .v1
    case "gptq_v2": version = .v2
    default: throw Self.layoutFault(format, values)
    }
    if let type = try values.word("pack_dtype"), type != "int32", type != "torch.int32" {
      throw values.error(
        .unsupported, "GPTQ weights in words of \(printable(type)), not int32, are not supported")
    }
    var groups = AnnouncedGroups()
    groups.bits = try values.integer("bits", "w_bit", "wbits")
    groups.groupSize = try values.groupSize("group_size", "q_group_size")
    if let bits = groups.bits, !GPTQLayout.rules.fieldBits.contains(bits) {
      throw values.error(
        .unsupported, "GPTQ with \(bits) bits is not supported; 2, 3, 4 and 8 bits are")
    }
    isSymmetric = try values.bool("sym")
    hasColumnOrder = try values.bool("desc_act")
    announced = [groups]
    if let overrides = try values.object("dynamic") {
      try readOverrides(overrides, values)
    }
  }

  private static func layoutFault(_ layout: String, _ values: GPTQSettingValues) -> CheckpointError
  {
    let reason =
      switch layout {
      case "marlin": "its tiles are arranged for one GPU program"
      case "gptq_p": "it splits codes into planes of bits"
      default: "only gptq and gptq_v2 are known"
      }
    return values.error(
      .unsupported, "the GPTQ layout \"\(printable(layout))\" is not supported: \(reason)")
  }

  /// Rules for single matrices, each under a pattern of names. What matches a pattern follows from the arrays themselves: their
  /// bits and groups must be some rule's.
  private mutating func readOverrides(
    _ overrides: JSONObject, _ values: GPTQSettingValues
  ) throws(CheckpointError) {
    for pattern in overrides.keys where !pattern.hasPrefix("-:") {
      guard let object = overrides[pattern]?.object else {
        throw values.error(
          .malformed, "the rule \"\(printable(pattern))\" in dynamic is no JSON object")
      }
      let rule = values.inner(object, name: "dynamic, \(printable(pattern))")
      var groups = announced[0]
      if let bits = try rule.integer("bits", "w_bit", "wbits") { groups.bits = bits }
      if let size = try rule.groupSize("group_size", "q_group_size") { groups.groupSize = size }
      if !announced.contains(groups) { announced.append(groups) }
      if let symmetric = try rule.bool("sym"), symmetric != isSymmetric { isSymmetric = nil }
      if let order = try rule.bool("desc_act"), order != hasColumnOrder { hasColumnOrder = nil }
    }
  }
}
