public import NibbleQuantization
internal import NibbleTensors

/// A matrix of 8-bit floats E4M3 with scales: "float-quantized" of compressed-tensors, and the "fp8" of transformers.
///
/// The two bytes that mean NaN stand for no level and are refused.
public struct Float8Layout: ArrayLayout {
  /// What comes after the module's name: "weight_scale", "weight_scale_inv".
  public var scaleName: String
  /// Rows that share the scales of their groups; 1 where each row has its own.
  public var blockRowCount: Int

  /// - Precondition: `blockRowCount` > 0.
  public init(scaleName: String = "weight_scale", blockRowCount: Int = 1) {
    precondition(blockRowCount > 0)
    self.scaleName = scaleName
    self.blockRowCount = blockRowCount
  }

  public func canRepresent(_ scheme: Scheme) -> Bool { fault(in: scheme) == nil }

  private func fault(in scheme: Scheme) -> String? {
    guard scheme.element == .codebook(.e4m3), scheme.offset == .none, !scheme.hasColumnOrder else {
      return "8-bit floats are e4m3 without offset and order, not \(scheme)"
    }
    switch scheme.granularity {
    case .group: break
    case .tensor where blockRowCount == 1, .row where blockRowCount == 1: break
    default: return "scales of 8-bit floats do not stand as in \(scheme)"
    }
    if scheme.scale.plainNumberType == nil {
      return "scales of 8-bit floats are float16, bfloat16 or float32, not as in \(scheme)"
    }
    return nil
  }

  public func obstacle(to scheme: Scheme, rowCount: Int, columnCount: Int) -> String? {
    if let fault = fault(in: scheme) { return fault }
    if rowCount <= 0 || columnCount <= 0 {
      return "\(rowCount) rows of \(columnCount) have no elements"
    }
    let (count, overflow) = rowCount.multipliedReportingOverflow(by: columnCount)
    if overflow || count > 1 << 48 {
      return "\(rowCount) x \(columnCount) elements are too many"
    }
    if case .group(let length) = scheme.granularity {
      if length <= 0 { return "groups of \(length) columns are none" }
      if blockRowCount == 1, columnCount % length != 0 {
        return "rows of \(columnCount) are no multiple of \(length)"
      }
    }
    return nil
  }

  public func parts(
    _ scheme: Scheme, rowCount: Int, columnCount: Int
  ) throws(QuantizationError) -> [SchemePart] {
    try requireStorable(scheme, rowCount: rowCount, columnCount: columnCount)
    guard let type = scheme.scale.plainNumberType else {
      throw QuantizationError(.unsupported, "\(scheme) has no plain scales")
    }
    let groupsPerRow = scheme.granularity.groupsPerRow(columnCount: columnCount)
    let blockCount = (rowCount - 1) / blockRowCount + 1
    return [
      SchemePart(
        name: "weight", type: .float8E4M3, shape: [rowCount, columnCount], isPerRow: true),
      SchemePart(
        name: scaleName, type: type, shape: groupsPerRow.map { [blockCount, $0] } ?? [1],
        isPerRow: groupsPerRow != nil && blockRowCount == 1),
    ]
  }

  public func pack(_ tensor: QuantizedTensor) throws(QuantizationError) -> [NamedBytes] {
    let parts = try parts(
      tensor.scheme, rowCount: tensor.rowCount, columnCount: tensor.columnCount)
    guard let scales = tensor.scales.plainNumberBytes else {
      throw QuantizationError(.shape, "scales do not fit the scheme \(tensor.scheme)")
    }
    guard !tensor.codes.contains(where: { $0 > 253 }) else {
      throw QuantizationError(.invalidValue, "a code stands for none of the 254 levels")
    }
    let codes = Self.mapped(tensor.codes, Self.bytesOfCodes)
    var blockScales = scales
    if blockRowCount > 1 {
      let rowByteCount = scales.count / tensor.rowCount
      blockScales = []
      for row in 0..<tensor.rowCount {
        let own = scales[row * rowByteCount..<(row + 1) * rowByteCount]
        if row % blockRowCount == 0 {
          blockScales += own
        } else if own != blockScales.suffix(rowByteCount) {
          throw QuantizationError(
            .unsupported,
            "row \(row) has scales of its own, where blocks of \(blockRowCount) rows share them")
        }
      }
    }
    return zip(parts, [codes, blockScales]).map { NamedBytes(name: $0.name, bytes: $1) }
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
    if let place = parts[0].bytes.firstIndex(where: { $0 & 0x7F == 0x7F }) {
      throw QuantizationError(
        .invalidValue, "row \(place / columnCount), column \(place % columnCount) is NaN")
    }
    var scales = parts[1].bytes
    if blockRowCount > 1 {
      let groupCount = scheme.granularity.groupsPerRow(columnCount: columnCount) ?? 1
      let (rowByteCount, overflow) = groupCount.multipliedReportingOverflow(
        by: (scheme.scale.plainNumberType?.bitCount ?? 32) / 8)
      guard !overflow else {
        throw QuantizationError(.shape, "rows of \(columnCount) are too long")
      }
      let blocks = scales
      scales = []
      scales.reserveCapacity(rowCount * rowByteCount)
      for row in 0..<rowCount {
        let first = row / blockRowCount * rowByteCount
        scales += blocks[first..<first + rowByteCount]
      }
    }
    guard let tree = ScaleTree(plainNumberBytes: scales, format: scheme.scale) else {
      throw QuantizationError(.unsupported, "\(scheme) has no plain scales")
    }
    return try QuantizedTensor(
      rowCount: rowCount, columnCount: columnCount, scheme: scheme,
      codes: Self.mapped(parts[0].bytes, Self.codesOfBytes), scales: tree)
  }

  /// The code of each byte, ascending with the value; NaN, which is refused before, has none.
  private static let codesOfBytes: [UInt8] = (0..<256).map { (byte: Int) -> UInt8 in
    let magnitude = UInt8(min(byte & 127, 126))
    return byte < 128 ? 127 + magnitude : 126 - magnitude
  }

  private static let bytesOfCodes: [UInt8] = (0..<256).map { (code: Int) -> UInt8 in
    code > 126 ? UInt8(min(code - 127, 126)) : UInt8(254 - code)
  }

  private static func mapped(_ bytes: [UInt8], _ map: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: bytes.count) { target, count in
      bytes.withUnsafeBufferPointer { bytes in
        map.withUnsafeBufferPointer { map in
          for index in 0..<bytes.count { target[index] = map[Int(bytes[index])] }
        }
      }
      count = bytes.count
    }
  }
}
