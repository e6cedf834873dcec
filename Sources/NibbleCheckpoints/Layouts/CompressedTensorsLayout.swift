public import NibbleQuantization
internal import NibbleTensors

/// The arrays of an integer matrix of compressed-tensors: signed codes in 32-bit words ("pack-quantized") or in a byte each
/// ("int-quantized", "naive-quantized"), scales, and zero points.
///
/// A file's numbers are signed: code and zero point have half the range of codes taken off, and in words it is added again.
public struct CompressedTensorsLayout: ArrayLayout {
  /// How codes stand in the file.
  public enum Storage: Hashable, Sendable {
    /// `weight_packed` and `weight_shape`: words. Versions up to 0.14 left the bits of a word unused that hold no whole code;
    /// the same may go for the words of zero points.
    case packed(CodeWords.Packing, zeroPoints: CodeWords.Packing)
    /// `weight`: a signed byte each.
    case bytes
  }

  public var storage: Storage

  public init(storage: Storage = .packed(.dense, zeroPoints: .dense)) { self.storage = storage }

  public func canRepresent(_ scheme: Scheme) -> Bool { fault(in: scheme) == nil }

  /// The bits of a code; nil for schemes that are no integers.
  private static func bits(_ scheme: Scheme) -> Int? {
    switch scheme.element {
    case .int(let bits), .uint(let bits): bits
    default: nil
    }
  }

  /// Why no matrix of `scheme` can be stored.
  private func fault(in scheme: Scheme) -> String? {
    guard let bits = Self.bits(scheme), (2...8).contains(bits) else {
      return "compressed-tensors packs integers of 2 to 8 bits, and \(scheme) has others"
    }
    switch (scheme.element, scheme.offset) {
    case (.int, .none), (.uint, .zeroPoint(bits: bits)): break
    default: return "compressed-tensors has symmetric codes or zero points, not as in \(scheme)"
    }
    switch scheme.granularity {
    case .tensor, .row, .group: break
    case .column, .block:
      return
        "scales of compressed-tensors belong to a tensor, a row or a group, not as in \(scheme)"
    }
    if scheme.scale.plainNumberType == nil {
      return "scales of compressed-tensors are float16, bfloat16 or float32, not as in \(scheme)"
    }
    if scheme.hasColumnOrder, storage == .bytes {
      return "an order of columns needs packed codes, as \(scheme) has none here"
    }
    return nil
  }

  public func obstacle(to scheme: Scheme, rowCount: Int, columnCount: Int) -> String? {
    if let fault = fault(in: scheme) { return fault }
    if rowCount <= 0 || columnCount <= 0 {
      return "\(rowCount) rows of \(columnCount) have no elements"
    }
    if case .group(let length) = scheme.granularity, length <= 0 || columnCount % length != 0 {
      return "rows of \(columnCount) are no multiple of \(length)"
    }
    let (count, overflow) = rowCount.multipliedReportingOverflow(by: columnCount)
    if overflow || count > 1 << 48 {
      return "\(rowCount) x \(columnCount) elements are too many"
    }
    return nil
  }

  public func parts(
    _ scheme: Scheme, rowCount: Int, columnCount: Int
  ) throws(QuantizationError) -> [SchemePart] {
    try requireStorable(scheme, rowCount: rowCount, columnCount: columnCount)
    guard let bits = Self.bits(scheme), let scaleType = scheme.scale.plainNumberType else {
      throw QuantizationError(.unsupported, "\(scheme) is no scheme of integers")
    }
    let isRowLocal = scheme.granularity != .tensor
    let groupCount = scheme.granularity.groupsPerRow(columnCount: columnCount) ?? 1
    let places = isRowLocal ? [rowCount, groupCount] : [1]
    var parts: [SchemePart] = []
    switch storage {
    case .packed(let packing, _):
      let width = CodeWords.wordCount(columnCount: columnCount, bits: bits, packing: packing)
      parts.append(
        SchemePart(name: "weight_packed", type: .int32, shape: [rowCount, width], isPerRow: true))
    case .bytes:
      parts.append(
        SchemePart(name: "weight", type: .int8, shape: [rowCount, columnCount], isPerRow: true))
    }
    parts.append(
      SchemePart(name: "weight_scale", type: scaleType, shape: places, isPerRow: isRowLocal))
    if scheme.offset != .none {
      if case .packed(_, let packing) = storage, isRowLocal {
        let height = CodeWords.wordCount(columnCount: rowCount, bits: bits, packing: packing)
        parts.append(
          SchemePart(
            name: "weight_zero_point", type: .int32, shape: [height, groupCount], isPerRow: false))
      } else {
        parts.append(
          SchemePart(
            name: "weight_zero_point", type: .int8, shape: places, isPerRow: isRowLocal))
      }
    }
    if scheme.hasColumnOrder {
      parts.append(
        SchemePart(name: "weight_g_idx", type: .int32, shape: [columnCount], isPerRow: false))
    }
    if storage != .bytes {
      parts.append(SchemePart(name: "weight_shape", type: .int64, shape: [2], isPerRow: false))
    }
    return parts
  }

  public func pack(_ tensor: QuantizedTensor) throws(QuantizationError) -> [NamedBytes] {
    let (rowCount, columnCount) = (tensor.rowCount, tensor.columnCount)
    let parts = try parts(tensor.scheme, rowCount: rowCount, columnCount: columnCount)
    guard let bits = Self.bits(tensor.scheme), let scales = tensor.scales.plainNumberBytes else {
      throw QuantizationError(.shape, "scales do not fit the scheme \(tensor.scheme)")
    }
    let half = UInt8(1 << (bits - 1))
    var codes = tensor.codes
    if let order = tensor.columnOrder { codes = codes.columnsScattered(to: order) }
    var arrays: [[UInt8]] = []
    switch storage {
    case .packed(let packing, _):
      arrays.append(
        CodeWords.pack(
          codes, rowCount: rowCount, columnCount: columnCount, bits: bits, packing: packing))
    case .bytes: arrays.append(codes.added(0 &- half))
    }
    arrays.append(scales)
    if let zeroPoints = tensor.zeroPoints {
      guard zeroPoints.allSatisfy({ $0 >> bits == 0 }) else {
        throw QuantizationError(.unsupported, "a zero point is beyond \(bits) bits")
      }
      if case .packed(_, let packing) = storage, tensor.scheme.granularity != .tensor {
        let groupCount = zeroPoints.count / rowCount
        let sideways = zeroPoints.blocksTransposed(
          rowCount: rowCount, columnCount: groupCount, width: 1)
        let words = CodeWords.pack(
          sideways, rowCount: groupCount, columnCount: rowCount, bits: bits, packing: packing)
        arrays.append(
          words.blocksTransposed(
            rowCount: groupCount, columnCount: words.count / 4 / groupCount, width: 4))
      } else {
        arrays.append(zeroPoints.added(0 &- half))
      }
    }
    if let order = tensor.columnOrder, case .group(let length) = tensor.scheme.granularity {
      arrays.append(Self.groupIndexes(order, length: length))
    }
    if storage != .bytes {
      arrays.append([Int64(rowCount), Int64(columnCount)].withUnsafeBytes { [UInt8]($0) })
    }
    return zip(parts, arrays).map { NamedBytes(name: $0.name, bytes: $1) }
  }

  public func unpack(
    _ parts: [NamedBytes], rowCount: Int, columnCount: Int, scheme: Scheme
  ) throws(QuantizationError) -> QuantizedTensor {
    let expected = try self.parts(scheme, rowCount: rowCount, columnCount: columnCount)
    guard let bits = Self.bits(scheme), parts.count == expected.count,
      zip(parts, expected).allSatisfy({ $0.bytes.count == $1.byteCount }),
      let scales = ScaleTree(plainNumberBytes: parts[1].bytes, format: scheme.scale)
    else {
      throw QuantizationError(
        .malformed, "the arrays do not fit \(rowCount) rows of \(columnCount) as \(scheme)")
    }
    if storage != .bytes {
      let shape = [Int64](littleEndianBytes: parts.last?.bytes ?? [])
      guard shape == [Int64(rowCount), Int64(columnCount)] else {
        throw QuantizationError(
          .malformed, "its weight_shape is \(shape), not [\(rowCount), \(columnCount)]")
      }
    }
    var codes: [UInt8]
    switch storage {
    case .packed(let packing, _):
      codes = CodeWords.unpack(
        parts[0].bytes, rowCount: rowCount, columnCount: columnCount, bits: bits, packing: packing)
    case .bytes: codes = try Self.codes(parts[0].bytes, bits: bits, "weight")
    }
    var order: [Int32]?
    if scheme.hasColumnOrder, case .group(let length) = scheme.granularity {
      let place = scheme.offset == .none ? 2 : 3
      order = try Self.columnOrder(
        [Int32](littleEndianBytes: parts[place].bytes), length: length)
    }
    if let order { codes = codes.columnsGathered(in: order) }
    var zeroPoints: [UInt8]?
    if scheme.offset != .none {
      if case .packed(_, let packing) = storage, scheme.granularity != .tensor {
        let groupCount = scheme.granularity.groupsPerRow(columnCount: columnCount) ?? 1
        let words = parts[2].bytes.blocksTransposed(
          rowCount: parts[2].bytes.count / 4 / groupCount, columnCount: groupCount, width: 4)
        zeroPoints = CodeWords.unpack(
          words, rowCount: groupCount, columnCount: rowCount, bits: bits, packing: packing
        ).blocksTransposed(rowCount: groupCount, columnCount: rowCount, width: 1)
      } else {
        zeroPoints = try Self.codes(parts[2].bytes, bits: bits, "weight_zero_point")
      }
    }
    return try QuantizedTensor(
      rowCount: rowCount, columnCount: columnCount, scheme: scheme, codes: codes, scales: scales,
      zeroPoints: zeroPoints, columnOrder: order)
  }

  /// Signed bytes as codes of so many bits.
  private static func codes(
    _ bytes: [UInt8], bits: Int, _ name: String
  ) throws(QuantizationError) -> [UInt8] {
    let codes = bytes.added(UInt8(1 << (bits - 1)))
    if bits < 8, let place = codes.firstIndex(where: { $0 >> bits != 0 }) {
      throw QuantizationError(
        .malformed, "its \(name) holds \(Int8(bitPattern: bytes[place])), beyond \(bits) bits")
    }
    return codes
  }
}
