internal import NibbleQuantization

/// One of the `config_groups` of compressed-tensors: which modules it is about, and how their weights are quantized.
struct CompressedTensorsGroup: Sendable {
  enum Strategy: String { case tensor, channel, group, block }

  /// The group's key, for messages.
  var name: String
  /// Names of modules or classes, or "re:" and a regular expression.
  var targets: [String]
  /// "pack-quantized" and others.
  var format: String
  var bitCount: Int
  var isFloat: Bool
  var isSymmetric: Bool
  var strategy: Strategy
  /// Columns that share a scale, for the strategy `group`.
  var groupLength: Int
  /// Rows and columns that share a scale, for the strategy `block`.
  var block: (rowCount: Int, columnCount: Int)

  /// The largest group or block.
  static let largestLength = 1 << 20
  private static let formats: Set<String> = [
    "dense", "pack-quantized", "int-quantized", "naive-quantized", "float-quantized",
  ]

  /// Reads the settings `value` of the group `name`; `common` is the format of groups that name none. Nil for groups that
  /// leave weights as they are.
  ///
  /// - Throws: ``CheckpointError`` that names the key.
  init?(_ name: String, _ value: JSONValue, format common: String?) throws(CheckpointError) {
    func fault(_ key: String, _ reason: String) -> CheckpointError {
      CheckpointError(
        .unsupported, "config_groups.\(printable(name)).\(key) \(reason)", file: "config.json")
    }
    guard value.object != nil else {
      throw CheckpointError(
        .unsupported, "config_groups.\(printable(name)) is no object of settings",
        file: "config.json")
    }
    guard let list = value["targets"]?.array, !list.isEmpty else {
      throw fault("targets", "is no list")
    }
    var targets: [String] = []
    for target in list {
      guard let text = target.string, text.utf8.count <= 4096 else {
        throw fault("targets", "holds something else than names")
      }
      targets.append(text)
    }
    guard let weights = value["weights"], !weights.isNull else { return nil }
    guard weights.object != nil else { throw fault("weights", "is no object") }
    if let own = value["format"], !own.isNull, own.string == nil {
      throw fault("format", "is no name")
    }
    // Before formats stood in groups, one word stood for all.
    let format = value["format"]?.string ?? common ?? "dense"
    guard Self.formats.contains(format) else {
      throw fault("format", "is \(printable(format)), which cannot be read")
    }
    func setting<Value>(
      _ key: String, _ usual: Value, _ read: (JSONValue) -> Value?, _ kind: String
    ) throws(CheckpointError) -> Value {
      guard let found = weights[key], !found.isNull else { return usual }
      guard let value = read(found) else { throw fault("weights.\(key)", "is no \(kind)") }
      return value
    }
    let bitCount = try setting("num_bits", 8, { $0.integer }, "number")
    let type = try setting("type", "int", { $0.string }, "name")
    guard type == "int" || type == "float" else {
      throw fault("weights.type", "is \(printable(type)), neither int nor float")
    }
    guard type == "float" ? bitCount == 8 : (2...8).contains(bitCount) else {
      throw fault("weights.num_bits", "is \(bitCount), which \(type) cannot have here")
    }
    let isSymmetric = try setting("symmetric", true, { $0.bool }, "flag")
    let groupLength = try setting("group_size", 0, { $0.integer }, "number")
    let usualStrategy = groupLength == -1 ? "channel" : groupLength > 0 ? "group" : "tensor"
    let strategyName = try setting("strategy", usualStrategy, { $0.string }, "name")
    guard let strategy = Strategy(rawValue: strategyName) else {
      throw fault("weights.strategy", "is \(printable(strategyName)), which cannot be read")
    }
    if strategy == .group, !(1...Self.largestLength).contains(groupLength) {
      throw fault("weights.group_size", "is \(groupLength), not in 1...\(Self.largestLength)")
    }
    block = (1, 1)
    if strategy == .block {
      let sizes = weights["block_structure"]?.array?.map { $0.integer ?? 0 } ?? []
      guard sizes.count == 2, sizes.allSatisfy({ (1...Self.largestLength).contains($0) }) else {
        throw fault("weights.block_structure", "is no pair of rows and columns")
      }
      block = (sizes[0], sizes[1])
    }
    if type == "float", !isSymmetric {
      throw fault("weights.symmetric", "is false, which floats cannot be")
    }
    if type == "int", strategy == .block {
      throw fault("weights.strategy", "is block, which only floats have here")
    }
    let isIntegerFormat = format == "pack-quantized" || format == "int-quantized"
    if type == "float" ? isIntegerFormat : format == "float-quantized" {
      throw fault("format", "is \(format), and the weights are \(type)s")
    }
    self.name = name
    self.targets = targets
    self.format = format
    self.bitCount = bitCount
    isFloat = type == "float"
    self.isSymmetric = isSymmetric
    self.strategy = strategy
    self.groupLength = groupLength
  }

  /// The scheme of the group's matrices, for scales of a format.
  func scheme(scale: ScaleFormat, hasColumnOrder: Bool) -> Scheme {
    let granularity: Granularity =
      switch strategy {
      case .tensor: .tensor
      case .channel: .row
      case .group: .group(groupLength)
      case .block: .group(block.columnCount)
      }
    let element: ElementFormat =
      isFloat
      ? .codebook(.e4m3) : isSymmetric ? .int(bits: bitCount) : .uint(bits: bitCount)
    return Scheme(
      element: element, granularity: granularity, scale: scale,
      offset: isSymmetric ? .none : .zeroPoint(bits: bitCount), hasColumnOrder: hasColumnOrder)
  }
}
