internal import NibbleQuantization
internal import NibbleTensors

extension CompressedTensorsFormat {
  /// Joins the arrays of a module whose codes are packed to words.
  func joinPacked(
    _ module: String, _ packed: TensorRecord, _ settings: CompressedTensorsSettings,
    in arrays: inout CompressedArrays
  ) throws(CheckpointError) {
    let matrix = module + ".weight"
    let group = try settings.group(of: module)
    guard group.format == "pack-quantized" else {
      throw CheckpointError(
        .malformed,
        "has weight_packed, and config_groups.\(printable(group.name)) says "
          + "\(group.format)", tensor: matrix)
    }
    let shapeRecord = try arrays.require(module + ".weight_shape", of: matrix)
    // Without elements, a dimension may be any number.
    guard packed.type == .plain(.int32), packed.shape.count == 2,
      packed.shape.allSatisfy({ $0 > 0 }),
      shapeRecord.type == .plain(.int64), shapeRecord.bytes.count == 16
    else {
      throw CheckpointError(
        .malformed,
        "its weight_packed is \(packed.type.name) \(packed.shape.prefix(8)), and its "
          + "weight_shape \(shapeRecord.type.name) \(shapeRecord.shape.prefix(8))", tensor: matrix)
    }
    let shape = [Int64](littleEndianBytes: shapeRecord.bytes.copy())
    let bits = group.bitCount
    // A word holds 16 codes at most, so that the width bounds the columns.
    guard shape[0] == Int64(packed.shape[0]), shape[1] > 0,
      shape[1] / 16 <= Int64(packed.shape[1])
    else {
      throw CheckpointError(
        .malformed, "its weight_shape is \(shape), and its weight_packed \(packed.shape)",
        tensor: matrix)
    }
    let (rowCount, columnCount) = (packed.shape[0], Int(shape[1]))
    let packing = try Self.packing(
      columnCount, wordCount: packed.shape[1], bits: bits, "weight_packed", of: matrix)
    var zeroPacking = CodeWords.Packing.dense
    let zeroName = module + ".weight_zero_point"
    if group.isSymmetric {
      try Self.dropZeroPoints(zeroName, of: matrix, in: &arrays)
    } else if group.strategy != .tensor {
      let zeros = try arrays.require(zeroName, of: matrix)
      zeroPacking = try Self.packing(
        rowCount, wordCount: zeros.shape.first ?? 0, bits: bits, "weight_zero_point", of: matrix,
        preferred: packing)
    }
    let hasOrder = try Self.ordersColumns(
      module, group, columnCount: columnCount, in: &arrays)
    let scheme = group.scheme(
      scale: try Self.scaleFormat(module + ".weight_scale", of: matrix, in: arrays),
      hasColumnOrder: hasOrder)
    try arrays.join(
      matrix, scheme: scheme,
      layout: CompressedTensorsLayout(storage: .packed(packing, zeroPoints: zeroPacking)),
      shape: [rowCount, columnCount]
    ) { part in "\(module).\(part)" }
  }

  /// Joins the arrays of a module whose codes are a signed byte each.
  func joinBytes(
    _ module: String, _ weight: TensorRecord, _ settings: CompressedTensorsSettings,
    in arrays: inout CompressedArrays
  ) throws(CheckpointError) {
    let group = try settings.group(of: module)
    guard group.format != "pack-quantized", !group.isFloat, weight.shape.count == 2 else {
      throw Self.contradiction(weight, group)
    }
    if group.isSymmetric {
      try Self.dropZeroPoints(module + ".weight_zero_point", of: weight.name, in: &arrays)
    }
    let scheme = group.scheme(
      scale: try Self.scaleFormat(module + ".weight_scale", of: weight.name, in: arrays),
      hasColumnOrder: false)
    if arrays[module + ".weight_g_idx"] != nil {
      throw CheckpointError(
        .unsupported, "orders its columns, and is not packed", tensor: weight.name)
    }
    try arrays.join(
      weight.name, scheme: scheme, layout: CompressedTensorsLayout(storage: .bytes),
      shape: weight.shape
    ) { part in "\(module).\(part)" }
  }

  /// Joins the arrays of a module of 8-bit floats.
  func joinFloats(
    _ module: String, _ weight: TensorRecord, _ settings: CompressedTensorsSettings,
    in arrays: inout CompressedArrays
  ) throws(CheckpointError) {
    let group = try settings.group(of: module)
    guard group.isFloat, weight.shape.count == 2 else { throw Self.contradiction(weight, group) }
    try Self.dropZeroPoints(module + ".weight_zero_point", of: weight.name, in: &arrays)
    let scheme = group.scheme(
      scale: try Self.scaleFormat(module + ".weight_scale", of: weight.name, in: arrays),
      hasColumnOrder: false)
    try arrays.join(
      weight.name, scheme: scheme, layout: Float8Layout(blockRowCount: group.block.rowCount),
      shape: weight.shape
    ) { part in "\(module).\(part)" }
  }

  private static func contradiction(
    _ weight: TensorRecord, _ group: CompressedTensorsGroup
  ) -> CheckpointError {
    CheckpointError(
      .malformed,
      "is \(weight.type.name) \(weight.shape.prefix(8)), and config_groups."
        + "\(printable(group.name)) says \(group.format) of \(group.isFloat ? "float" : "int")s",
      tensor: weight.name)
  }

  /// How codes stand in words, which their number tells; of two ways that fit, the preferred one.
  private static func packing(
    _ count: Int, wordCount: Int, bits: Int, _ array: String, of matrix: String,
    preferred: CodeWords.Packing = .dense
  ) throws(CheckpointError) -> CodeWords.Packing {
    for packing in [preferred, .dense, .wholeCodes]
    where wordCount == CodeWords.wordCount(columnCount: count, bits: bits, packing: packing) {
      return packing
    }
    throw CheckpointError(
      .malformed, "its \(array) holds \(wordCount) words for \(count) numbers of \(bits) bits",
      tensor: matrix)
  }

  private static func scaleFormat(
    _ name: String, of matrix: String, in arrays: CompressedArrays
  ) throws(CheckpointError) -> ScaleFormat {
    let record = try arrays.require(name, of: matrix)
    guard case .plain(let type) = record.type, let format = ScaleFormat(plainNumberType: type)
    else {
      throw CheckpointError(
        .unsupported, "its weight_scale is \(record.type.name), not F16, BF16 or F32",
        tensor: matrix)
    }
    return format
  }

  /// Drops the zero points of symmetric weights, which some versions store, if they are zeros.
  private static func dropZeroPoints(
    _ name: String, of matrix: String, in arrays: inout CompressedArrays
  ) throws(CheckpointError) {
    guard let record = arrays[name] else { return }
    // A float's zero may have a sign.
    let mask: UInt8 = record.type == .plain(.float8E4M3) ? 0x7F : 0xFF
    guard record.bytes.withUnsafeBytes({ bytes in bytes.allSatisfy { $0 & mask == 0 } }) else {
      throw CheckpointError(
        .malformed, "has zero points, and its group is symmetric", tensor: matrix)
    }
    arrays.drop(name)
  }

  /// Whether `weight_g_idx` puts the columns into another order than their own; drops it where it does not.
  private static func ordersColumns(
    _ module: String, _ group: CompressedTensorsGroup, columnCount: Int,
    in arrays: inout CompressedArrays
  ) throws(CheckpointError) -> Bool {
    let name = module + ".weight_g_idx"
    guard let record = arrays[name] else { return false }
    guard record.type == .plain(.int32), record.bytes.count / 4 == columnCount else {
      throw CheckpointError(
        .malformed, "its weight_g_idx is \(record.type.name) \(record.shape.prefix(8))",
        tensor: module + ".weight")
    }
    let indexes = [Int32](littleEndianBytes: record.bytes.copy())
    let isOwnOrder =
      if group.strategy == .group {
        indexes.indices.allSatisfy { Int(indexes[$0]) == $0 / group.groupLength }
      } else {
        indexes.allSatisfy { $0 == 0 }
      }
    if isOwnOrder || indexes.allSatisfy({ $0 == -1 }) {
      arrays.drop(name)
      return false
    }
    guard group.strategy == .group else {
      throw CheckpointError(
        .malformed, "has a weight_g_idx, and no groups", tensor: module + ".weight")
    }
    return true
  }
}
