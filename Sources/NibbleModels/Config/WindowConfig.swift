internal import NibbleCheckpoints

// Windows over some of the blocks, as configurations spell them.

extension HuggingFaceConfig {
  /// Reads Qwen's windows: off unless `use_sliding_window`, and then over `layer_types` or the layers from
  /// `max_window_layers` on.
  func readWindows(into config: inout ModelConfig) throws(ModelError) {
    guard json["use_sliding_window"]?.bool == true,
      let window = try count("sliding_window"), window > 0
    else { return }
    let first = try count("max_window_layers") ?? 28
    config.slidingWindow = window
    config.windowedBlocks =
      try windowedBlocks() ?? (0..<min(config.blockCount, 10_000)).map { $0 >= first }
  }
}

extension GGUFConfig {
  /// Reads the window, and over which blocks it holds; `usual` tells of files that do not say it.
  func readWindows(
    into config: inout ModelConfig, usual: (Int) -> Bool
  ) throws(ModelError) {
    let window = try count("attention.sliding_window")
    config.slidingWindow = window == 0 ? nil : window
    guard config.slidingWindow != nil else { return }
    let pattern = metadata["\(prefix).attention.sliding_window_pattern"]
    if let flags = pattern?.flags {
      config.windowedBlocks = flags
    } else if let period = pattern?.integer {
      let last = period - 1
      config.windowedBlocks = (0..<min(config.blockCount, 10_000)).map {
        period <= 0 || $0 % period < last
      }
    } else {
      config.windowedBlocks = (0..<min(config.blockCount, 10_000)).map(usual)
    }
  }
}

extension MetadataValue {
  /// The elements of an array of truth values or whole numbers.
  fileprivate var flags: [Bool]? {
    switch self {
    case .array(_, let values): values.map { $0.bool ?? ($0.integer != 0) }
    case .int32s(let values): values.map { $0 != 0 }
    case .uint32s(let values): values.map { $0 != 0 }
    default: nil
    }
  }
}

extension ModelConfig {
  /// Writes Qwen's windows.
  func writeWindows(to json: inout JSONObject) {
    guard let slidingWindow else { return }
    json["use_sliding_window"] = true
    json["sliding_window"] = .integer(Int64(slidingWindow))
    json["max_window_layers"] = .integer(
      Int64(windowedBlocks.firstIndex(of: true) ?? blockCount))
    json["layer_types"] = layerTypesJSON
  }

  /// Writes the window, and over which blocks it holds.
  func writeWindows(to metadata: inout Metadata) {
    guard let slidingWindow else { return }
    metadata["\(architecture).attention.sliding_window"] = .uint32(UInt32(clamping: slidingWindow))
    metadata["\(architecture).attention.sliding_window_pattern"] = .array(
      element: .bool, (0..<blockCount).map { .bool(window(ofBlock: $0) != nil) })
  }
}

/// The architectures of Qwen, which spell windows alike.
protocol QwenArchitecture: Architecture {}

extension QwenArchitecture {
  static func read(
    _ source: HuggingFaceConfig, into config: inout ModelConfig
  ) throws(ModelError) {
    try source.readWindows(into: &config)
  }

  static func read(_ source: GGUFConfig, into config: inout ModelConfig) throws(ModelError) {
    try source.readWindows(into: &config) { _ in true }
  }

  static func write(_ config: ModelConfig, to json: inout JSONObject) {
    config.writeWindows(to: &json)
  }

  static func write(_ config: ModelConfig, to metadata: inout Metadata) {
    config.writeWindows(to: &metadata)
  }
}
