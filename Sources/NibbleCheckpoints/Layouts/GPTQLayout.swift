public import NibbleQuantization
internal import NibbleTensors

/// The arrays of a GPTQ checkpoint (AutoGPTQ, GPTQModel; Docs/Formats/gptq.md): `qweight`, `qzeros`, `scales`, `g_idx`.
///
/// A word of `qweight` holds neighbouring inputs of one output; words run over outputs first. `g_idx` tells the group of each
/// input, from which the order of a tensor's columns follows.
public struct GPTQLayout: ArrayLayout {
  /// How zero points are stored.
  public enum Version: Hashable, Sendable {
    /// Less one, so that zero points of 0 cannot be stored ("gptq").
    case v1
    /// As they are ("gptq_v2").
    case v2
  }

  public var version: Version

  public init(version: Version = .v1) { self.version = version }

  static let rules = GroupedIntegers(
    formatName: "GPTQ", fieldBits: [2, 3, 4, 8], rowMultiple: 32, columnMultiple: 32,
    scaleFormats: [.float16, .bfloat16, .float32])

  public func canRepresent(_ scheme: Scheme) -> Bool { Self.rules.obstacle(to: scheme) == nil }

  public func obstacle(to scheme: Scheme, rowCount: Int, columnCount: Int) -> String? {
    Self.rules.obstacle(to: scheme, rowCount: rowCount, columnCount: columnCount)
  }

  public func parts(
    _ scheme: Scheme, rowCount: Int, columnCount: Int
  ) throws(QuantizationError) -> [SchemePart] {
    try requireStorable(scheme, rowCount: rowCount, columnCount: columnCount)
    let bits = scheme.element.bitCount
    let groupCount = scheme.granularity.groupsPerRow(columnCount: columnCount) ?? 1
    func part(_ name: String, _ type: DType, _ shape: [Int]) -> SchemePart {
      SchemePart(name: name, type: type, shape: shape, isPerRow: false)
    }
    return [
      part("qweight", .int32, [columnCount / 32 * bits, rowCount]),
      part("qzeros", .int32, [groupCount, rowCount / 32 * bits]),
      part("scales", GroupedIntegers.type(of: scheme.scale), [groupCount, rowCount]),
      part("g_idx", .int32, [columnCount]),
    ]
  }

  /// - Throws: ``QuantizationError`` for schemes and shapes with an obstacle, and for a zero point of 0 in version 1.
  public func pack(_ tensor: QuantizedTensor) throws(QuantizationError) -> [NamedBytes] {
    let rowCount = tensor.rowCount
    let columnCount = tensor.columnCount
    let parts = try parts(tensor.scheme, rowCount: rowCount, columnCount: columnCount)
    let bits = tensor.scheme.element.bitCount
    let groupCount = parts[1].shape[0]

    var fields = GroupedIntegers.zeroPoints(tensor, groupCount: groupCount)
    if version == .v1 {
      guard !fields.contains(0) else {
        throw QuantizationError(
          .unsupported,
          "has a zero point of 0, which version 1 of GPTQ cannot store; write gptq_v2")
      }
      for index in fields.indices { fields[index] -= 1 }
    }
    var codes = tensor.codes
    var groups = [Int32](repeating: 0, count: columnCount)
    let length = columnCount / groupCount
    if let order = tensor.columnOrder {
      codes = Self.scattered(codes, to: order)
      for (place, column) in order.enumerated() { groups[Int(column)] = Int32(place / length) }
    } else {
      for column in 0..<columnCount { groups[column] = Int32(column / length) }
    }
    let words = CodeWords.pack(codes, rowCount: rowCount, columnCount: columnCount, bits: bits)
    let arrays = [
      CodeWords.transposed(words, rowCount: rowCount, columnCount: parts[0].shape[0]),
      CodeWords.pack(fields, rowCount: groupCount, columnCount: rowCount, bits: bits),
      try GroupedIntegers.scaleBytes(tensor.scales, rowCount: rowCount, groupCount: groupCount),
      WordArrays.bytes(groups),
    ]
    return zip(parts, arrays).map { NamedBytes(name: $0.name, bytes: $1) }
  }

  /// Reads the arrays of ``parts(_:rowCount:columnCount:)``; the last one, `g_idx`, may be left out where columns are in their
  /// own order. A field of version 1 with all bits set is read as 0.
  ///
  /// - Throws: ``QuantizationError`` when the arrays do not fit, or a group has too many columns.
  public func unpack(
    _ parts: [NamedBytes], rowCount: Int, columnCount: Int, scheme: Scheme
  ) throws(QuantizationError) -> QuantizedTensor {
    let expected = try self.parts(scheme, rowCount: rowCount, columnCount: columnCount)
    guard parts.count == 4 || parts.count == 3 && !scheme.hasColumnOrder,
      zip(parts, expected).allSatisfy({ $0.bytes.count == $1.byteCount })
    else {
      throw QuantizationError(
        .malformed, "the arrays do not fit \(rowCount) rows of \(columnCount) as \(scheme)")
    }
    let bits = scheme.element.bitCount
    let groupCount = expected[1].shape[0]
    let length = columnCount / groupCount

    var order: [Int32]?
    if parts.count == 4 {
      let groups = WordArrays.numbers(parts[3].bytes, as: Int32.self)
      let found = try Self.columnOrder(groups, groupCount: groupCount, length: length)
      if scheme.hasColumnOrder {
        order = found
      } else if !found.indices.allSatisfy({ found[$0] == $0 }) {
        throw QuantizationError(.malformed, "g_idx orders the columns, which \(scheme) does not")
      }
    }
    let fields = Self.zeroPoints(
      parts[1].bytes, rowCount: rowCount, groupCount: groupCount, bits: bits, version: version)
    let zeroPoints = try GroupedIntegers.zeroPoints(
      fields, rowCount: rowCount, groupCount: groupCount, scheme: scheme)
    let scales = try GroupedIntegers.scales(
      parts[2].bytes, format: scheme.scale, rowCount: rowCount, groupCount: groupCount)
    let words = CodeWords.transposed(
      parts[0].bytes, rowCount: expected[0].shape[0], columnCount: rowCount)
    var codes = CodeWords.unpack(words, rowCount: rowCount, columnCount: columnCount, bits: bits)
    if let order { codes = Self.gathered(codes, in: order) }
    return try QuantizedTensor(
      rowCount: rowCount, columnCount: columnCount, scheme: scheme, codes: codes, scales: scales,
      zeroPoints: zeroPoints, columnOrder: order)
  }

  /// The zero points that `qzeros` stands for, `[groups, rows]`; 2^bits becomes 0.
  static func zeroPoints(
    _ bytes: [UInt8], rowCount: Int, groupCount: Int, bits: Int, version: Version
  ) -> [UInt8] {
    var fields = CodeWords.unpack(
      bytes, rowCount: groupCount, columnCount: rowCount, bits: bits)
    if version == .v1 {
      let mask = UInt8((1 << bits) - 1)
      for index in fields.indices { fields[index] = (fields[index] &+ 1) & mask }
    }
    return fields
  }

  /// The columns sorted by group, ascending within each; `groups` is the group of each column, of which there must be
  /// `length` each time.
  ///
  /// - Throws: ``QuantizationError`` for groups that do not exist, or that have more or fewer columns.
  static func columnOrder(
    _ groups: [Int32], groupCount: Int, length: Int
  ) throws(QuantizationError) -> [Int32] {
    var counts = [Int](repeating: 0, count: groupCount)
    var order = [Int32](repeating: 0, count: groups.count)
    for (column, group) in groups.enumerated() {
      guard group >= 0, Int(group) < groupCount else {
        throw QuantizationError(
          .malformed, "g_idx puts column \(column) into group \(group) of \(groupCount)")
      }
      let index = Int(group)
      guard counts[index] < length else {
        throw QuantizationError(
          .malformed, "g_idx puts more than \(length) columns into group \(group)")
      }
      order[index * length + counts[index]] = Int32(column)
      counts[index] += 1
    }
    guard counts.allSatisfy({ $0 == length }) else {
      throw QuantizationError(
        .malformed, "g_idx puts fewer than \(length) columns into one of its groups")
    }
    return order
  }

  /// Rows whose column `order[i]` is column `i` of `codes`.
  private static func scattered(_ codes: [UInt8], to order: [Int32]) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: codes.count)
    result.withUnsafeMutableBufferPointer { result in
      for first in stride(from: 0, to: codes.count, by: max(order.count, 1)) {
        for place in 0..<order.count { result[first + Int(order[place])] = codes[first + place] }
      }
    }
    return result
  }

  /// Undoes ``scattered(_:to:)``.
  private static func gathered(_ codes: [UInt8], in order: [Int32]) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: codes.count)
    result.withUnsafeMutableBufferPointer { result in
      for first in stride(from: 0, to: codes.count, by: max(order.count, 1)) {
        for place in 0..<order.count { result[first + place] = codes[first + Int(order[place])] }
      }
    }
    return result
  }
}
