internal import NibbleQuantization
internal import NibbleTensors

/// Makes a matrix of each layer's GPTQ arrays. Their shapes tell bits and groups, which must be announced; zero points tell
/// whether a matrix is symmetric, and for symmetric models how they are stored.
struct GPTQMatrices: Sendable {
  /// How zero points are stored, if the configuration is right.
  var version: GPTQLayout.Version
  /// Whether all zero points are in the middle, if the configuration is right; nil where it does not tell.
  var isSymmetric: Bool?
  /// Whether groups follow an order of columns.
  var hasColumnOrder: Bool?
  /// What the matrices may have.
  var announced: [AnnouncedGroups]

  /// A layer's arrays, before it is known how zero points are stored.
  private struct Matrix {
    var scheme: Scheme
    var rowCount: Int
    var columnCount: Int
    var parts: [ByteView]
    /// The value of all zero point fields; nil where they differ.
    var commonField: UInt8?
    /// Whether a field has all bits set.
    var hasFullField: Bool
  }

  /// - Returns: the records with a matrix for the arrays of each layer, and notes.
  /// - Throws: ``CheckpointError`` that names the array that is missing or does not fit.
  func gather(
    _ records: [TensorRecord]
  ) throws(CheckpointError) -> (tensors: [TensorRecord], notes: [String]) {
    let found = try PackedModules(records)
    var notes: [String] = []
    var matrices: [Matrix] = []
    for module in found.modules { matrices.append(try matrix(module, &notes)) }

    let version = actualVersion(matrices, &notes)
    var tensors: [TensorRecord] = []
    var asymmetricNames: [String] = []
    var fullNames: [String] = []
    for (module, matrix) in zip(found.modules, matrices) {
      var scheme = matrix.scheme
      let bits = scheme.element.bitCount
      let middle = Self.middleField(bits: bits, version)
      if isSymmetric ?? true, matrix.commonField == middle {
        scheme.element = .int(bits: bits)
        scheme.offset = .none
      } else {
        if isSymmetric == true { asymmetricNames.append(module.weightName) }
        if version == .v1, matrix.hasFullField { fullNames.append(module.weightName) }
      }
      let layout = GPTQLayout(version: version)
      if let obstacle = layout.obstacle(
        to: scheme, rowCount: matrix.rowCount, columnCount: matrix.columnCount)
      {
        throw CheckpointError(.unsupported, obstacle, tensor: module.weightName)
      }
      var record = TensorRecord(
        name: module.weightName, shape: [matrix.rowCount, matrix.columnCount],
        type: .scheme(scheme), parts: matrix.parts)
      record.layout = layout
      tensors.append(record)
    }
    notes += Self.note(
      asymmetricNames, "has zero points of its own although the configuration says symmetric")
    notes += Self.note(
      fullNames,
      "has zero point fields with all bits set, which are read as 0; some programs read one more "
        + "than the highest code")
    return (found.replaced(by: tensors), notes)
  }

  private func matrix(
    _ module: PackedModules.Module, _ notes: inout [String]
  ) throws(CheckpointError) -> Matrix {
    let weight = try module.matrix("qweight", [.int32])
    let zeros = try module.matrix("qzeros", [.int32])
    let scales = try module.matrix("scales", [.float16, .bfloat16, .float32])
    let groupCount = scales.shape[0]
    let rowCount = scales.shape[1]
    guard weight.shape[1] == rowCount else {
      throw CheckpointError(
        .malformed, "has \(weight.shape[1]) outputs, and scales has \(rowCount)",
        tensor: weight.name)
    }
    guard zeros.shape[0] == groupCount else {
      throw CheckpointError(
        .malformed, "has \(zeros.shape[0]) groups, and scales has \(groupCount)",
        tensor: zeros.name)
    }
    // The bytes fit the shapes, so that no product here overflows.
    let bits = 32 * zeros.shape[1] / rowCount
    guard 32 * zeros.shape[1] % rowCount == 0, (1...8).contains(bits) else {
      throw CheckpointError(
        .malformed, "rows of \(zeros.shape[1]) words do not hold \(rowCount) zero points",
        tensor: zeros.name)
    }
    guard GPTQLayout.rules.fieldBits.contains(bits) else {
      throw CheckpointError(
        .unsupported, "has \(bits) bits a weight; 2, 3, 4 and 8 are supported",
        tensor: module.weightName)
    }
    let columnCount = 32 * weight.shape[0] / bits
    guard 32 * weight.shape[0] % bits == 0, columnCount % groupCount == 0 else {
      throw CheckpointError(
        .malformed,
        "\(weight.shape[0]) rows of words do not hold \(groupCount) groups of \(bits)-bit weights",
        tensor: weight.name)
    }
    let granularity = announced.lazy.compactMap {
      $0.granularity(bits: bits, groupCount: groupCount, columnCount: columnCount)
    }.first
    guard let granularity else {
      let wanted = announced.prefix(4).map(\.text).joined(separator: ", or ")
      throw CheckpointError(
        .malformed,
        "has \(bits) bits in groups of \(columnCount / groupCount), and the configuration "
          + "announces \(wanted)", tensor: module.weightName)
    }
    guard rowCount % 32 == 0, columnCount % 32 == 0 else {
      throw CheckpointError(
        .unsupported, "\(rowCount) x \(columnCount) weights are no multiples of 32",
        tensor: module.weightName)
    }
    var parts = [weight.bytes, zeros.bytes, scales.bytes]
    let order = try columnOrder(
      module, groupCount: groupCount, columnCount: columnCount, &notes)
    if let order { parts.append(order.bytes) }
    let fields = GPTQLayout.zeroPoints(
      zeros.bytes.copy(), rowCount: rowCount, groupCount: groupCount, bits: bits, version: .v2)
    let first = fields[0]
    return Matrix(
      scheme: Scheme(
        element: .uint(bits: bits), granularity: granularity, scale: Self.format(of: scales.type),
        offset: .zeroPoint(bits: bits), hasColumnOrder: order?.isNatural == false),
      rowCount: rowCount, columnCount: columnCount, parts: parts,
      commonField: fields.allSatisfy { $0 == first } ? first : nil,
      hasFullField: fields.contains(UInt8((1 << bits) - 1)))
  }

  /// The array `g_idx` where it counts, and whether groups are runs of columns as they stand.
  private func columnOrder(
    _ module: PackedModules.Module, groupCount: Int, columnCount: Int, _ notes: inout [String]
  ) throws(CheckpointError) -> (bytes: ByteView, isNatural: Bool)? {
    guard let array = module.arrays["g_idx"] else {
      guard hasColumnOrder != true || groupCount == 1 else {
        throw CheckpointError(
          .missing, "the configuration sets desc_act, which needs it",
          tensor: "\(module.name).g_idx")
      }
      return nil
    }
    try module.require(array, [.int32])
    guard array.shape == [columnCount] else {
      throw CheckpointError(
        .malformed, "has the shape \(array.shape.prefix(8)), not [\(columnCount)]",
        tensor: array.name)
    }
    let groups = WordArrays.numbers(array.bytes.copy(), as: Int32.self)
    let length = columnCount / groupCount
    if groups.indices.allSatisfy({ groups[$0] == $0 / length }) { return (array.bytes, true) }
    if hasColumnOrder == false, groups.allSatisfy({ $0 == 0 }) {
      let note = "some g_idx are all 0, and ignored, since desc_act is not set"
      if !notes.contains(note) { notes.append(note) }
      return nil
    }
    do {
      _ = try GPTQLayout.columnOrder(groups, groupCount: groupCount, length: length)
    } catch {
      throw CheckpointError(.malformed, error.message, tensor: array.name)
    }
    return (array.bytes, false)
  }

  /// The version in which the zero points of a symmetric model make sense.
  private func actualVersion(
    _ matrices: [Matrix], _ notes: inout [String]
  ) -> GPTQLayout.Version {
    let other: GPTQLayout.Version = version == .v1 ? .v2 : .v1
    guard isSymmetric == true, !matrices.isEmpty else { return version }
    for matrix in matrices {
      let middle = Self.middleField(bits: matrix.scheme.element.bitCount, other)
      guard matrix.commonField == middle else { return version }
    }
    let names = [GPTQLayout.Version.v1: "gptq", .v2: "gptq_v2"]
    notes.append(
      "the configuration says \(names[version] ?? ""), but all zero points are those of a "
        + "symmetric model in \(names[other] ?? ""), as which it is read")
    return other
  }

  /// How the zero point of symmetric levels is stored.
  private static func middleField(bits: Int, _ version: GPTQLayout.Version) -> UInt8 {
    GroupedIntegers.middle(bits: bits) - (version == .v1 ? 1 : 0)
  }

  /// The scale format of an array's type.
  static func format(of type: StoredType) -> ScaleFormat {
    switch type {
    case .plain(.float32): .float32
    case .plain(.bfloat16): .bfloat16
    default: .float16
    }
  }

  /// One line about matrices that share an oddity; none if there are none.
  static func note(_ names: [String], _ oddity: String) -> [String] {
    guard let first = names.first else { return [] }
    let others = names.count == 1 ? "" : " (and \(names.count - 1) more like it)"
    return ["tensor \(printable(first)) \(oddity)\(others)"]
  }
}
