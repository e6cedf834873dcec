internal import NibbleQuantization
internal import NibbleTensors

/// What GPTQ and AWQ have in common: integers of a few bits in groups of columns, each group with a zero point in the codes'
/// own bits and a floating-point scale, both stored as `[groups, rows]`.
struct GroupedIntegers {
  /// What messages call the format.
  let formatName: String
  /// Bits that a field may have.
  let fieldBits: [Int]
  /// The rows must be a multiple of this.
  let rowMultiple: Int
  /// The columns must be a multiple of this.
  let columnMultiple: Int
  let scaleFormats: [ScaleFormat]

  /// Why matrices of `scheme` cannot be stored, whatever their shape.
  func obstacle(to scheme: Scheme) -> String? {
    let bits: Int
    switch (scheme.element, scheme.offset) {
    case (.int(let width), .none):
      bits = width
    case (.uint(let width), .zeroPoint(let zeroPointBits)) where width == zeroPointBits:
      bits = width
    case (.int, _), (.uint, _):
      return "\(formatName) stores symmetric integers, or integers with zero points of as many "
        + "bits, and \(scheme) is neither"
    case (.codebook, _), (.learned, _):
      return "\(formatName) stores integers, and \(scheme) has a table of levels"
    }
    guard fieldBits.contains(bits) else {
      let widths = fieldBits.map { "\($0)" }.joined(separator: ", ")
      return "\(formatName) has fields of \(widths) bits, and \(scheme) needs \(bits)"
    }
    guard scaleFormats.contains(scheme.scale) else {
      return "\(formatName) stores a floating-point scale for each group, which the scales of "
        + "\(scheme) are not"
    }
    switch scheme.granularity {
    case .row:
      guard !scheme.hasColumnOrder else {
        return "\(scheme) orders columns, but has no groups of them"
      }
    case .group(let length):
      guard length > 0 else { return "a group of \(length) columns is none" }
    case .tensor, .column, .block:
      return "\(formatName) has a scale for each row or for groups of its columns, unlike \(scheme)"
    }
    return nil
  }

  /// Why matrices of `scheme` and this shape cannot be stored.
  func obstacle(to scheme: Scheme, rowCount: Int, columnCount: Int) -> String? {
    if let obstacle = obstacle(to: scheme) { return obstacle }
    guard rowCount > 0, columnCount > 0 else {
      return "\(rowCount) rows of \(columnCount) hold no weights"
    }
    let (elementCount, overflow) = rowCount.multipliedReportingOverflow(by: columnCount)
    guard !overflow, elementCount <= 1 << 48 else {
      return "\(rowCount) x \(columnCount) elements are too many"
    }
    guard columnCount % columnMultiple == 0 else {
      return "rows of \(columnCount) are no multiple of \(columnMultiple)"
    }
    guard rowCount % rowMultiple == 0 else {
      return "\(rowCount) rows are no multiple of \(rowMultiple)"
    }
    if case .group(let length) = scheme.granularity, columnCount % length != 0 {
      return "rows of \(columnCount) are no multiple of groups of \(length)"
    }
    return nil
  }

  /// The zero point that a symmetric field stands for.
  static func middle(bits: Int) -> UInt8 { UInt8(1 << (bits - 1)) }

  /// The zero points of all groups, `[groups, rows]`.
  static func zeroPoints(_ tensor: QuantizedTensor, groupCount: Int) -> [UInt8] {
    guard let zeroPoints = tensor.zeroPoints else {
      return [UInt8](
        repeating: middle(bits: tensor.scheme.element.bitCount),
        count: tensor.rowCount * groupCount)
    }
    return WordArrays.transposed(zeroPoints, rowCount: tensor.rowCount, columnCount: groupCount)
  }

  /// The zero points `[rows, groups]` that a tensor of `scheme` keeps, nil for symmetric schemes, from what the file says,
  /// `[groups, rows]`.
  ///
  /// - Throws: ``QuantizationError`` when a symmetric scheme's zero point is not in the middle.
  static func zeroPoints(
    _ fields: [UInt8], rowCount: Int, groupCount: Int, scheme: Scheme
  ) throws(QuantizationError) -> [UInt8]? {
    if case .zeroPoint = scheme.offset {
      return WordArrays.transposed(fields, rowCount: groupCount, columnCount: rowCount)
    }
    let middle = middle(bits: scheme.element.bitCount)
    if let other = fields.first(where: { $0 != middle }) {
      throw QuantizationError(
        .malformed, "has the zero point \(other), where symmetric levels have \(middle)")
    }
    return nil
  }

  /// The bytes of the scales, `[groups, rows]`.
  static func scaleBytes(
    _ scales: ScaleTree, rowCount: Int, groupCount: Int
  ) throws(QuantizationError) -> [UInt8] {
    switch scales {
    case .float16(let bits), .bfloat16(let bits):
      return WordArrays.bytes(
        WordArrays.transposed(bits, rowCount: rowCount, columnCount: groupCount))
    case .float32(let values):
      return WordArrays.bytes(
        WordArrays.transposed(values, rowCount: rowCount, columnCount: groupCount))
    default:
      throw QuantizationError(.unsupported, "scales are no floating-point numbers of their own")
    }
  }

  /// Undoes ``scaleBytes(_:rowCount:groupCount:)``.
  static func scales(
    _ bytes: [UInt8], format: ScaleFormat, rowCount: Int, groupCount: Int
  ) throws(QuantizationError) -> ScaleTree {
    if format == .float32 {
      let bits = WordArrays.transposed(
        WordArrays.numbers(bytes, as: UInt32.self), rowCount: groupCount, columnCount: rowCount)
      return .float32(bits.map { Float(bitPattern: $0) })
    }
    let bits = WordArrays.transposed(
      WordArrays.numbers(bytes, as: UInt16.self), rowCount: groupCount, columnCount: rowCount)
    switch format {
    case .float16: return .float16(bits)
    case .bfloat16: return .bfloat16(bits)
    default:
      throw QuantizationError(.unsupported, "scales are no floating-point numbers of their own")
    }
  }

  /// The type of the scales' array.
  static func type(of format: ScaleFormat) -> DType {
    switch format {
    case .float32: .float32
    case .bfloat16: .bfloat16
    default: .float16
    }
  }
}
