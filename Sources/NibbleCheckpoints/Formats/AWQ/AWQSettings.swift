/// What a folder's configuration says of its AWQ weights.
struct AWQSettings: Sendable {
  var arrangement: AWQLayout.Arrangement
  var announced: [AnnouncedGroups]
  var notes: [String]

  /// Reads `quantization_config` in `config.json`, the older `quant_config.json`, and `quantize_config.json`.
  ///
  /// - Returns: nil when they announce no AWQ.
  /// - Throws: ``CheckpointError`` for settings of the wrong kind, and for layouts that are not supported.
  static func read(
    _ file: (String) throws(CheckpointError) -> JSONValue?
  ) throws(CheckpointError) -> AWQSettings? {
    var files: [(name: String, settings: JSONObject)] = []
    let main = try GPTQSettingValues.quantizationConfig(try file("config.json"))
    if let main, let method = main["quant_method"]?.string {
      guard method.lowercased() == "awq" else { return nil }
      files.append(("config.json", main))
    }
    for name in ["quant_config.json", "quantize_config.json"] {
      guard let separate = try file(name)?.object else { continue }
      let isOlder = name == "quant_config.json" && separate["w_bit"] != nil
      if let method = separate["quant_method"]?.string {
        if method.lowercased() == "awq" { files.append((name, separate)) }
      } else if isOlder {
        files.append((name, separate))
      }
    }
    guard !files.isEmpty else { return nil }
    return try AWQSettings(GPTQSettingValues(files))
  }

  init(_ values: GPTQSettingValues) throws(CheckpointError) {
    notes = values.contradictions([
      ["bits", "w_bit"], ["group_size", "q_group_size"], ["version"],
    ])
    let version = try values.word("version", "checkpoint_format", "format") ?? "gemm"
    switch version {
    case "gemm", "marlin", "exllama", "ipex": arrangement = .gemm
    case "gemv": arrangement = .gemv
    default:
      throw values.error(
        .unsupported,
        "the AWQ arrangement \"\(printable(version))\" is not supported; gemm and gemv are")
    }
    var groups = AnnouncedGroups()
    groups.bits = try values.integer("bits", "w_bit")
    groups.groupSize = try values.groupSize("group_size", "q_group_size")
    if let bits = groups.bits, bits != 4 {
      throw values.error(.unsupported, "AWQ with \(bits) bits is not supported; 4 bits are")
    }
    announced = [groups]
  }
}
