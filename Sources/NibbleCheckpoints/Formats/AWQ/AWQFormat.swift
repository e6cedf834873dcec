public import NibbleQuantization

/// Folders with AWQ weights, as AutoAWQ, transformers and vLLM read them (Docs/Formats/awq.md).
///
/// Both arrangements are read, gemm is written. A symmetric matrix is stored with zero points of 8, and so reads back with the
/// same values but as an asymmetric one: the configuration has no word for it.
public struct AWQFormat: FolderFormat {
  public static let name = "awq"

  /// What a folder that is read announces.
  private let settings: AWQSettings?

  /// A format to write folders in.
  public init() { settings = nil }

  private init(_ settings: AWQSettings) { self.settings = settings }

  public static func announced(
    by file: (String) throws(CheckpointError) -> JSONValue?
  ) throws(CheckpointError) -> AWQFormat? {
    guard let settings = try AWQSettings.read(file) else { return nil }
    return AWQFormat(settings)
  }

  public func gather(
    _ records: [TensorRecord]
  ) throws(CheckpointError) -> (tensors: [TensorRecord], notes: [String]) {
    let matrices = AWQMatrices(
      arrangement: settings?.arrangement ?? .gemm,
      announced: settings?.announced ?? [AnnouncedGroups()])
    let (tensors, notes) = try matrices.gather(records)
    return (tensors, (settings?.notes ?? []) + notes)
  }

  public func layout(for scheme: Scheme) -> any ArrayLayout { AWQLayout() }

  public func obstacle(to scheme: Scheme, rowCount: Int, columnCount: Int) -> String? {
    if case .int(let bits) = scheme.element, scheme.offset == .none {
      return
        "folders of AWQ tell of zero points in all matrices: int\(bits) symmetric would read back as asymmetric"
    }
    return layout(for: scheme).obstacle(to: scheme, rowCount: rowCount, columnCount: columnCount)
  }

  public func arrayName(_ part: String, of tensor: String) -> String {
    PackedPlans.arrayName(part, of: tensor)
  }

  public func configuration(
    of plans: [TensorPlan], config: JSONObject
  ) throws(CheckpointError) -> [String: JSONObject] {
    let found = try PackedPlans(plans, format: "AWQ", layout: AWQLayout())
    let first = found.matrices[0]
    for matrix in found.matrices {
      guard !PackedPlans.isHead(matrix.module) else {
        throw CheckpointError(
          .unsupported, "loaders of AWQ take lm_head for a plain matrix",
          tensor: "\(matrix.module).weight")
      }
      guard matrix.scheme.granularity == first.scheme.granularity else {
        throw CheckpointError(
          .unsupported,
          "AWQ has one group size for all matrices, and \(matrix.scheme) is not that of "
            + "\(first.module), \(first.scheme)", tensor: "\(matrix.module).weight")
      }
    }
    // A name also counts for modules whose names begin with it.
    for plain in found.plainModules {
      if let other = found.matrices.first(where: { $0.module.hasPrefix(plain) }) {
        throw CheckpointError(
          .unsupported,
          "AWQ cannot say that this matrix is plain and that of \(other.module) is not",
          tensor: "\(plain).weight")
      }
    }
    var groupSize = -1
    if case .group(let length) = first.scheme.granularity { groupSize = length }
    var config = config
    config["quantization_config"] = [
      "quant_method": "awq",
      "bits": 4,
      "group_size": .integer(Int64(groupSize)),
      "zero_point": true,
      "version": "gemm",
      "modules_to_not_convert": found.plainModules.isEmpty
        ? nil : .array(found.plainModules.map { .string($0) }),
    ]
    return ["config.json": config]
  }
}
