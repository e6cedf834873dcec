internal import NibbleQuantization
internal import NibbleTensors

/// The arrays of quantized linear layers, `MODULE.qweight` and its kin, found among the tensors of a checkpoint.
struct PackedModules {
  /// A linear layer whose weights are packed.
  struct Module {
    let name: String
    fileprivate(set) var arrays: [String: TensorRecord] = [:]

    /// The name that its weights have in a plain checkpoint.
    var weightName: String { name + ".weight" }

    /// An array that must be there.
    ///
    /// - Throws: ``CheckpointError`` when it is missing, or has another type or no elements.
    func matrix(
      _ suffix: String, _ types: [DType]
    ) throws(CheckpointError) -> TensorRecord {
      guard let array = arrays[suffix] else {
        throw CheckpointError(
          .missing, "\(name).qweight is there without it", tensor: "\(name).\(suffix)")
      }
      try require(array, types)
      guard array.shape.count == 2 else {
        throw CheckpointError(
          .malformed, "has \(array.shape.count) dimensions, not 2", tensor: array.name)
      }
      return array
    }

    /// Checks an array's type, and that its bytes fit its shape.
    func require(_ array: TensorRecord, _ types: [DType]) throws(CheckpointError) {
      guard types.contains(where: { array.type == .plain($0) }) else {
        let names = types.map(\.rawValue).joined(separator: " or ")
        throw CheckpointError(
          .malformed, "is \(array.type.name), not \(names)", tensor: array.name)
      }
      guard array.shape.allSatisfy({ $0 > 0 }) else {
        throw CheckpointError(
          .malformed, "its shape \(array.shape.prefix(8)) has no elements", tensor: array.name)
      }
      let byteCount: Int
      do {
        byteCount = try array.type.byteCount(shape: array.shape)
      } catch {
        throw error.ofTensor(array.name)
      }
      guard byteCount == array.byteCount else {
        throw CheckpointError(
          .malformed, "has \(array.byteCount) bytes, not \(byteCount)", tensor: array.name)
      }
    }
  }

  /// In the order of their first arrays.
  private(set) var modules: [Module] = []
  private let records: [TensorRecord]
  /// The place of each module, and the module of each record.
  private var places: [String: Int] = [:]
  private var owners: [Int?] = []

  /// Finds all modules that have a `qweight`.
  ///
  /// - Throws: ``CheckpointError`` for zero points or group indices without one, and for weights that stand in the file
  ///   twice.
  init(_ records: [TensorRecord]) throws(CheckpointError) {
    self.records = records
    var packed: Set<String> = []
    for record in records {
      let (module, suffix) = Self.split(record.name)
      if suffix == "qweight" { packed.insert(module) }
    }
    for record in records {
      let (module, suffix) = Self.split(record.name)
      guard packed.contains(module) else {
        guard suffix != "qzeros", suffix != "g_idx" else {
          throw CheckpointError(
            .missing, "\(suffix) is there without it", tensor: "\(module).qweight")
        }
        owners.append(nil)
        continue
      }
      switch suffix {
      case "weight":
        throw CheckpointError(
          .malformed, "stands in the file twice, once quantized", tensor: record.name)
      case "qweight", "qzeros", "scales", "g_idx":
        let place: Int
        if let known = places[module] {
          place = known
        } else {
          place = modules.count
          places[module] = place
          modules.append(Module(name: module))
        }
        modules[place].arrays[suffix] = record
        owners.append(place)
      default: owners.append(nil)
      }
    }
  }

  /// A name without and with only what follows its last dot.
  static func split(_ name: String) -> (module: String, suffix: String) {
    guard let dot = name.lastIndex(of: ".") else { return ("", name) }
    return (String(name[..<dot]), String(name[name.index(after: dot)...]))
  }

  /// All records in their order, with those of `matrices` in place of each module's arrays.
  ///
  /// - Precondition: there is a matrix for each module.
  func replaced(by matrices: [TensorRecord]) -> [TensorRecord] {
    precondition(matrices.count == modules.count)
    var written = [Bool](repeating: false, count: matrices.count)
    var result: [TensorRecord] = []
    result.reserveCapacity(records.count)
    for (index, record) in records.enumerated() {
      guard let owner = owners[index] else {
        result.append(record)
        continue
      }
      if !written[owner] {
        written[owner] = true
        result.append(matrices[owner])
      }
    }
    return result
  }
}

/// Bits and group size that a configuration announces for some of its matrices; nil stands for any.
struct AnnouncedGroups: Hashable, Sendable {
  var bits: Int?
  /// -1 for whole rows.
  var groupSize: Int?

  /// Which granularity the announcement gives a matrix; nil when it means other matrices.
  func granularity(bits: Int, groupCount: Int, columnCount: Int) -> Granularity? {
    let length = columnCount / groupCount
    guard self.bits == nil || self.bits == bits else { return nil }
    switch groupSize {
    case nil: return .group(length)
    case -1: return groupCount == 1 ? .row : nil
    // A row that is shorter than a group is one.
    case .some(let size):
      return size == length || groupCount == 1 && size > columnCount ? .group(length) : nil
    }
  }

  /// "4 bits in groups of 128".
  var text: String {
    let width = bits.map { "\($0) bits" } ?? "any bits"
    guard let groupSize else { return width }
    return groupSize == -1 ? "\(width) in whole rows" : "\(width) in groups of \(groupSize)"
  }
}
