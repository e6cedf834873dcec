public import NibbleQuantization

/// Folders with GPTQ weights, as AutoGPTQ, GPTQModel, transformers and vLLM read them (Docs/Formats/gptq.md).
public struct GPTQFormat: FolderFormat {
  public static let name = "gptq"

  /// How zero points are stored in folders that are written. Version 1 cannot hold a zero point of 0, and GPTQModel reads it
  /// for asymmetric weights only from its own files; version 2 is right for these.
  public var version: GPTQLayout.Version

  /// What a folder that is read announces.
  private let settings: GPTQSettings?

  /// A format to write folders in.
  public init(version: GPTQLayout.Version = .v1) {
    self.version = version
    settings = nil
  }

  private init(_ settings: GPTQSettings) {
    version = settings.version
    self.settings = settings
  }

  public static func announced(
    by file: (String) throws(CheckpointError) -> JSONValue?
  ) throws(CheckpointError) -> GPTQFormat? {
    guard let settings = try GPTQSettings.read(file) else { return nil }
    return GPTQFormat(settings)
  }

  public func gather(
    _ records: [TensorRecord]
  ) throws(CheckpointError) -> (tensors: [TensorRecord], notes: [String]) {
    let matrices = GPTQMatrices(
      version: version, isSymmetric: settings?.isSymmetric,
      hasColumnOrder: settings?.hasColumnOrder,
      announced: settings?.announced ?? [AnnouncedGroups()])
    let (tensors, notes) = try matrices.gather(records)
    return (tensors, (settings?.notes ?? []) + notes)
  }

  public func layout(for scheme: Scheme) -> any ArrayLayout { GPTQLayout(version: version) }

  public func obstacle(to scheme: Scheme, rowCount: Int, columnCount: Int) -> String? {
    if scheme.scale == .float32 {
      return "loaders of GPTQ read scales of 16 bits, and \(scheme) has 32"
    }
    return layout(for: scheme).obstacle(to: scheme, rowCount: rowCount, columnCount: columnCount)
  }

  public func arrayName(_ part: String, of tensor: String) -> String {
    PackedPlans.arrayName(part, of: tensor)
  }

  public func configuration(
    of plans: [TensorPlan], config: JSONObject
  ) throws(CheckpointError) -> [String: JSONObject] {
    let settings = try GPTQConfiguration(plans, version: version).settings
    var config = config
    config["quantization_config"] = .object(settings)
    return ["config.json": config, "quantize_config.json": settings]
  }
}
