internal import NibbleQuantization
internal import NibbleTensors

/// Quantized tensors in safetensors files: each array of a scheme is a tensor named `NAME.PART`, and the header's
/// `__metadata__` tells which scheme and shape `NAME` has (Docs/Formats/nibble-safetensors.md).
enum SchemeTensors {
  /// The key in `__metadata__`; its value is JSON.
  static let key = "nibble.quantization"
  private static let version: Int64 = 1

  /// What the metadata says of one tensor.
  struct Entry: Sendable {
    var scheme: Scheme
    var shape: [Int]
  }

  /// The tensors of the file that store `plan`.
  static func arrays(_ plan: TensorPlan) throws(CheckpointError) -> [TensorPlan] {
    if let arrays = plan.arrays { return arrays }
    guard case .scheme(let scheme) = plan.type else { return [plan] }
    guard scheme.name != nil else {
      throw CheckpointError(
        .unsupported, "the scheme \(scheme) has no name to be stored under", tensor: plan.name)
    }
    return try parts(scheme, shape: plan.shape, tensor: plan.name).map { part in
      TensorPlan(name: "\(plan.name).\(part.name)", shape: part.shape, type: .plain(part.type))
    }
  }

  private static func parts(
    _ scheme: Scheme, shape: [Int], tensor: String
  ) throws(CheckpointError) -> [SchemePart] {
    // The shape is bounded before any product of its dimensions is taken.
    _ = try StoredType.plain(.float32).byteCount(shape: shape)
    do {
      return try scheme.parts(
        rowCount: shape.dropLast().reduce(1, *), columnCount: shape.last ?? 1)
    } catch {
      throw CheckpointError(.malformed, error.message, tensor: tensor)
    }
  }

  /// The header's metadata for a file with these plans; empty when none is quantized.
  static func metadata(_ plans: [TensorPlan]) throws(CheckpointError) -> [String: String] {
    var tensors = JSONObject()
    for plan in plans.sorted(by: { $0.name < $1.name }) {
      guard plan.arrays == nil, case .scheme(let scheme) = plan.type, let name = scheme.name else {
        continue
      }
      tensors[plan.name] = [
        "scheme": .string(name), "shape": .array(plan.shape.map { .integer(Int64($0)) }),
      ]
    }
    if tensors.keys.isEmpty { return [:] }
    let value: JSONValue = ["version": .integer(version), "tensors": .object(tensors)]
    return [key: value.text(.compact)]
  }

  /// Reads what ``metadata(_:)`` wrote.
  ///
  /// - Throws: ``CheckpointError`` for broken JSON, an unknown version or scheme, or a bad shape.
  static func schemes(_ metadata: [String: String]) throws(CheckpointError) -> [String: Entry] {
    guard let text = metadata[key] else { return [:] }
    let value = try JSONValue.parse(text)
    guard let found = value["version"]?.integer, let tensors = value["tensors"]?.object else {
      throw CheckpointError(.malformed, "\(key) in __metadata__ lacks version or tensors")
    }
    guard found == version else {
      throw CheckpointError(.unsupported, "\(key) has version \(found), not \(version)")
    }
    var entries: [String: Entry] = [:]
    for name in tensors.keys {
      let description = tensors[name]
      guard let schemeName = description?["scheme"]?.string, let scheme = Scheme(name: schemeName)
      else {
        throw CheckpointError(
          .unsupported,
          "its scheme \"\(printable(description?["scheme"]?.string ?? ""))\" is not known",
          tensor: name)
      }
      let shape = description?["shape"]?.array?.compactMap(\.integer) ?? []
      guard shape.count >= 2, shape.count == description?["shape"]?.array?.count,
        shape.allSatisfy({ $0 >= 0 })
      else {
        throw CheckpointError(
          .malformed, "its shape in \(key) is no list of dimensions", tensor: name)
      }
      entries[name] = Entry(scheme: scheme, shape: shape.map { Int($0) })
    }
    return entries
  }

  /// Puts the arrays of each quantized tensor together, where the first of them stands.
  ///
  /// - Throws: ``CheckpointError`` when an array is missing or has another type or shape than the scheme needs.
  static func gather(
    _ records: [TensorRecord], schemes: [String: Entry]
  ) throws(CheckpointError) -> [TensorRecord] {
    guard !schemes.isEmpty else { return records }
    let byName = Dictionary(records.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var owners: [String: String] = [:]
    var tensors: [String: TensorRecord] = [:]
    for (name, entry) in schemes {
      guard byName[name] == nil else {
        throw CheckpointError(.malformed, "stands in the file twice, once quantized", tensor: name)
      }
      let parts = try parts(entry.scheme, shape: entry.shape, tensor: name)
      var record: TensorRecord?
      for part in parts {
        let partName = "\(name).\(part.name)"
        guard let array = byName[partName] else {
          throw CheckpointError(.missing, "its array \(part.name) is missing", tensor: name)
        }
        guard array.type == .plain(part.type), array.shape == part.shape else {
          throw CheckpointError(
            .malformed,
            "its array \(part.name) is \(array.type.name) \(array.shape.prefix(8)), not "
              + "\(part.type.rawValue) \(part.shape)", tensor: name)
        }
        owners[partName] = name
        if record == nil {
          record = TensorRecord(
            name: name, shape: entry.shape, type: .scheme(entry.scheme), bytes: array.bytes)
        } else {
          record?.parts.append(array.bytes)
        }
      }
      tensors[name] = record
    }
    return records.compactMap { record in
      guard let owner = owners[record.name] else { return record }
      return tensors.removeValue(forKey: owner)
    }
  }
}
