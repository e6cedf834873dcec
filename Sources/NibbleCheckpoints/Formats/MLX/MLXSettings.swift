/// What the member "quantization" of an MLX folder's config.json says (Docs/Formats/mlx.md).
struct MLXSettings: Equatable, Sendable {
  /// How one layer is quantized.
  struct Layer: Hashable, Sendable {
    var mode = Mode.affine
    var bitCount = 4
    var groupLength = 64
  }

  enum Mode: String, CaseIterable, Sendable {
    /// A scale and a bias for each group.
    case affine
    /// E2M1 numbers and a power of two for each 32 of them.
    case mxfp4
  }

  /// What holds for layers that have no entry of their own.
  var usual: Layer
  /// By the path of a module ("model.layers.0.mlp.up_proj"); nil for one that is said not to be quantized.
  var modules: [String: Layer?]

  /// - Parameter value: the member "quantization".
  /// - Throws: ``CheckpointError`` that names key and value of a broken setting.
  init(_ value: JSONValue) throws(CheckpointError) {
    guard let object = value.object else {
      throw CheckpointError(.malformed, "quantization is no object", file: "config.json")
    }
    usual = try Layer(value, key: "quantization")
    modules = [:]
    for key in object.keys {
      switch object[key] {
      case .bool(false): modules.updateValue(nil, forKey: key)
      case .object?: modules[key] = try Layer(object[key] ?? .null, key: "quantization.\(key)")
      default: break
      }
    }
  }
}

extension MLXSettings.Layer {
  fileprivate init(_ value: JSONValue, key: String) throws(CheckpointError) {
    if let mode = value["mode"], !mode.isNull {
      guard let known = mode.string.flatMap(MLXSettings.Mode.init(rawValue:)) else {
        let names = MLXSettings.Mode.allCases.map(\.rawValue).joined(separator: " and ")
        throw Self.fault(.unsupported, "\(key).mode", mode, "Nibble reads \(names)")
      }
      self.mode = known
    }
    if mode == .mxfp4 { groupLength = 32 }
    bitCount = try Self.integer(value, "bits", key: key) ?? bitCount
    groupLength = try Self.integer(value, "group_size", key: key) ?? groupLength
    let bitCounts = mode == .affine ? MLXLayout.bitCounts : [4]
    let groupLengths = mode == .affine ? MLXLayout.groupLengths : [32]
    guard bitCounts.contains(bitCount) else {
      throw Self.fault(
        .unsupported, "\(key).bits", .integer(Int64(bitCount)), "MLX has \(Self.list(bitCounts))")
    }
    guard groupLengths.contains(groupLength) else {
      throw Self.fault(
        .unsupported, "\(key).group_size", .integer(Int64(groupLength)),
        "MLX has \(Self.list(groupLengths))")
    }
  }

  private static func list(_ numbers: [Int]) -> String {
    numbers.map(String.init).joined(separator: ", ")
  }

  private static func integer(
    _ value: JSONValue, _ name: String, key: String
  ) throws(CheckpointError) -> Int? {
    guard let member = value[name], !member.isNull else { return nil }
    guard let number = member.integer else {
      throw fault(.malformed, "\(key).\(name)", member, "it must be a whole number")
    }
    return number
  }

  private static func fault(
    _ code: CheckpointError.Code, _ key: String, _ value: JSONValue, _ reason: String
  ) -> CheckpointError {
    CheckpointError(
      code, "\(printable(key)) is \(printable(value.text(.compact))); \(reason)",
      file: "config.json")
  }
}

extension MLXSettings.Layer {
  /// The member of config.json that announces this.
  var entry: JSONObject {
    JSONObject([
      "group_size": .integer(Int64(groupLength)), "bits": .integer(Int64(bitCount)),
      "mode": .string(mode.rawValue),
    ])
  }
}
