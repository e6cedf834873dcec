public import NibbleQuantization
internal import NibbleTensors

/// The arrays of an AWQ checkpoint (AutoAWQ; Docs/Formats/awq.md): `qweight`, `qzeros`, `scales`, with 4 bits a weight.
///
/// Symmetric tensors are stored with a zero point of 8 in every group, as no runtime does without zero points.
public struct AWQLayout: ArrayLayout {
  /// How the words run.
  public enum Arrangement: Hashable, Sendable {
    /// A word holds 8 outputs of one input, the even ones first: `[columns, rows / 8]`. The usual one.
    case gemm
    /// A word holds 8 inputs of one output, in their order: `[rows, columns / 8]`; scales and zero points run along a row and
    /// have room for a multiple of 8 groups.
    case gemv
  }

  public var arrangement: Arrangement

  public init(arrangement: Arrangement = .gemm) { self.arrangement = arrangement }

  /// The output that stands in each nibble of a word, the lowest first.
  private static let outputOrder = [0, 2, 4, 6, 1, 3, 5, 7]

  private var rules: GroupedIntegers {
    GroupedIntegers(
      formatName: "AWQ", fieldBits: [4], rowMultiple: arrangement == .gemm ? 8 : 1,
      columnMultiple: arrangement == .gemm ? 1 : 8, scaleFormats: [.float16, .bfloat16])
  }

  public func canRepresent(_ scheme: Scheme) -> Bool {
    rules.obstacle(to: scheme) == nil && !scheme.hasColumnOrder
  }

  public func obstacle(to scheme: Scheme, rowCount: Int, columnCount: Int) -> String? {
    if scheme.hasColumnOrder { return "AWQ has no order of columns, which \(scheme) needs" }
    if let obstacle = rules.obstacle(to: scheme, rowCount: rowCount, columnCount: columnCount) {
      return obstacle
    }
    let length = Self.groupLength(scheme, columnCount: columnCount)
    if arrangement == .gemv, Self.paddedGroupCount(columnCount / length, length: length) == nil {
      return "AWQ's gemv arrangement has groups of 32, 64, 128 columns or more, not of \(length)"
    }
    return nil
  }

  public func parts(
    _ scheme: Scheme, rowCount: Int, columnCount: Int
  ) throws(QuantizationError) -> [SchemePart] {
    try requireStorable(scheme, rowCount: rowCount, columnCount: columnCount)
    let length = Self.groupLength(scheme, columnCount: columnCount)
    let groupCount = columnCount / length
    let scaleType = GroupedIntegers.type(of: scheme.scale)
    func part(_ name: String, _ type: DType, _ shape: [Int], isPerRow: Bool) -> SchemePart {
      SchemePart(name: name, type: type, shape: shape, isPerRow: isPerRow)
    }
    switch arrangement {
    case .gemm:
      return [
        part("qweight", .int32, [columnCount, rowCount / 8], isPerRow: false),
        part("qzeros", .int32, [groupCount, rowCount / 8], isPerRow: false),
        part("scales", scaleType, [groupCount, rowCount], isPerRow: false),
      ]
    case .gemv:
      let padded = Self.paddedGroupCount(groupCount, length: length) ?? groupCount
      return [
        part("qweight", .int32, [rowCount, columnCount / 8], isPerRow: true),
        part("qzeros", .int32, [rowCount, padded / 8], isPerRow: true),
        part("scales", scaleType, [rowCount, padded], isPerRow: true),
      ]
    }
  }

  private static func groupLength(_ scheme: Scheme, columnCount: Int) -> Int {
    if case .group(let length) = scheme.granularity { length } else { columnCount }
  }

  /// The groups that a row of the gemv arrangement has room for; nil for groups that it does not have.
  static func paddedGroupCount(_ groupCount: Int, length: Int) -> Int? {
    let multiple: Int
    switch length {
    case 128...: multiple = 8
    case 64: multiple = 16
    case 32: multiple = 32
    default: return nil
    }
    return (groupCount + multiple - 1) / multiple * multiple
  }

  public func pack(_ tensor: QuantizedTensor) throws(QuantizationError) -> [NamedBytes] {
    let rowCount = tensor.rowCount
    let columnCount = tensor.columnCount
    let parts = try parts(tensor.scheme, rowCount: rowCount, columnCount: columnCount)
    let groupCount = columnCount / Self.groupLength(tensor.scheme, columnCount: columnCount)
    let zeroPoints = GroupedIntegers.zeroPoints(tensor, groupCount: groupCount)
    let scales = try GroupedIntegers.scaleBytes(
      tensor.scales, rowCount: rowCount, groupCount: groupCount)
    let arrays: [[UInt8]]
    switch arrangement {
    case .gemm:
      let sideways = WordArrays.transposed(
        zeroPoints, rowCount: groupCount, columnCount: rowCount)
      arrays = [
        Self.packed(tensor.codes, rowCount: rowCount, columnCount: columnCount),
        Self.packed(sideways, rowCount: rowCount, columnCount: groupCount), scales,
      ]
    case .gemv:
      let room = parts[2].shape[1]
      let fields = Self.padded(
        WordArrays.transposed(zeroPoints, rowCount: groupCount, columnCount: rowCount),
        groupCount: groupCount, room: room)
      let numbers = Self.padded(
        WordArrays.transposed(
          WordArrays.numbers(scales, as: UInt16.self), rowCount: groupCount, columnCount: rowCount),
        groupCount: groupCount, room: room)
      arrays = [
        CodeWords.pack(tensor.codes, rowCount: rowCount, columnCount: columnCount, bits: 4),
        CodeWords.pack(fields, rowCount: rowCount, columnCount: room, bits: 4),
        WordArrays.bytes(numbers),
      ]
    }
    return zip(parts, arrays).map { NamedBytes(name: $0.name, bytes: $1) }
  }

  public func unpack(
    _ parts: [NamedBytes], rowCount: Int, columnCount: Int, scheme: Scheme
  ) throws(QuantizationError) -> QuantizedTensor {
    let expected = try self.parts(scheme, rowCount: rowCount, columnCount: columnCount)
    guard parts.count == expected.count,
      zip(parts, expected).allSatisfy({ $0.bytes.count == $1.byteCount })
    else {
      throw QuantizationError(
        .malformed, "the arrays do not fit \(rowCount) rows of \(columnCount) as \(scheme)")
    }
    let groupCount = columnCount / Self.groupLength(scheme, columnCount: columnCount)
    let codes: [UInt8]
    // Both [groups, rows].
    let fields: [UInt8]
    var scaleBytes = parts[2].bytes
    switch arrangement {
    case .gemm:
      codes = Self.unpacked(parts[0].bytes, rowCount: rowCount, columnCount: columnCount)
      fields = WordArrays.transposed(
        Self.unpacked(parts[1].bytes, rowCount: rowCount, columnCount: groupCount),
        rowCount: rowCount, columnCount: groupCount)
    case .gemv:
      let room = expected[2].shape[1]
      codes = CodeWords.unpack(
        parts[0].bytes, rowCount: rowCount, columnCount: columnCount, bits: 4)
      let padded = CodeWords.unpack(
        parts[1].bytes, rowCount: rowCount, columnCount: room, bits: 4)
      fields = WordArrays.transposed(
        Self.cut(padded, groupCount: groupCount, room: room), rowCount: rowCount,
        columnCount: groupCount)
      let numbers = Self.cut(
        WordArrays.numbers(scaleBytes, as: UInt16.self), groupCount: groupCount, room: room)
      scaleBytes = WordArrays.bytes(
        WordArrays.transposed(numbers, rowCount: rowCount, columnCount: groupCount))
    }
    return try QuantizedTensor(
      rowCount: rowCount, columnCount: columnCount, scheme: scheme, codes: codes,
      scales: try GroupedIntegers.scales(
        scaleBytes, format: scheme.scale, rowCount: rowCount, groupCount: groupCount),
      zeroPoints: try GroupedIntegers.zeroPoints(
        fields, rowCount: rowCount, groupCount: groupCount, scheme: scheme))
  }

  /// The bytes of gemm's words `[columnCount, rowCount / 8]` for codes `[rowCount, columnCount]`; 8 divides the rows.
  private static func packed(_ codes: [UInt8], rowCount: Int, columnCount: Int) -> [UInt8] {
    guard !codes.isEmpty else { return [] }
    return CodeWords.transposed(
      CodeWords.packedRows(codes, columnCount: columnCount, order: outputOrder),
      rowCount: rowCount / 8, columnCount: columnCount)
  }

  /// Undoes ``packed(_:rowCount:columnCount:)``.
  static func unpacked(_ bytes: [UInt8], rowCount: Int, columnCount: Int) -> [UInt8] {
    guard !bytes.isEmpty else { return [] }
    let words = CodeWords.transposed(bytes, rowCount: columnCount, columnCount: rowCount / 8)
    return CodeWords.unpackedRows(words, columnCount: columnCount, order: outputOrder)
  }

  /// Rows of `groupCount` numbers with zeros behind them, up to `room`.
  private static func padded<Element: FixedWidthInteger>(
    _ values: [Element], groupCount: Int, room: Int
  ) -> [Element] {
    var result: [Element] = []
    result.reserveCapacity(values.count / groupCount * room)
    for first in stride(from: 0, to: values.count, by: groupCount) {
      result += values[first..<first + groupCount]
      result += repeatElement(0, count: room - groupCount)
    }
    return result
  }

  /// The first `groupCount` numbers of rows of `room`.
  private static func cut<Element: FixedWidthInteger>(
    _ values: [Element], groupCount: Int, room: Int
  ) -> [Element] {
    var result: [Element] = []
    result.reserveCapacity(values.count / room * groupCount)
    for first in stride(from: 0, to: values.count, by: room) {
      result += values[first..<first + groupCount]
    }
    return result
  }
}
