public import NibbleQuantization
public import NibbleTensors

/// The arrays of a 4-bit matrix of bitsandbytes (QLoRA, Dettmers et al. 2023, arXiv:2305.14314): two codes a byte, the first in
/// the high bits; a scale for each block of the flattened matrix, or 8-bit scales of these; the book; and JSON with the shape.
///
/// Blocks must not reach over the end of a row, so rows are whole blocks.
public struct BitsAndBytesFourBitLayout: ArrayLayout {
  /// The type of the weights before they were quantized: float16, bfloat16 or float32. The JSON names it, and bitsandbytes
  /// decodes to it.
  public var originalType: DType

  /// - Precondition: `originalType` is float16, bfloat16 or float32.
  public init(originalType: DType) {
    precondition(BitsAndBytesState.typeNames.contains { $0.type == originalType })
    self.originalType = originalType
  }

  public func canRepresent(_ scheme: Scheme) -> Bool { Self.fault(in: scheme) == nil }

  /// Why no matrix of `scheme` can be stored.
  private static func fault(in scheme: Scheme) -> String? {
    guard scheme.element == .codebook(.nf4) || scheme.element == .codebook(.fp4) else {
      return "4-bit bitsandbytes holds nf4 and fp4, not \(scheme)"
    }
    guard case .group(let length) = scheme.granularity,
      BitsAndBytesState.blockLengths.contains(length)
    else { return "blocks of bitsandbytes are a power of two in 32...4096, not as in \(scheme)" }
    guard scheme.scale == .float32 || scheme.scale == .doubleQuantized else {
      return "scales of bitsandbytes are float32 or double quantized, not as in \(scheme)"
    }
    if scheme.offset != .none { return "4-bit bitsandbytes has no offsets, as \(scheme) has" }
    return scheme.hasColumnOrder ? "bitsandbytes keeps columns in their own order" : nil
  }

  public func obstacle(to scheme: Scheme, rowCount: Int, columnCount: Int) -> String? {
    if let fault = Self.fault(in: scheme) { return fault }
    guard case .group(let length) = scheme.granularity else { return nil }
    if rowCount <= 0 || columnCount <= 0 {
      return "\(rowCount) rows of \(columnCount) have no elements"
    }
    if columnCount % length != 0 {
      return "rows of \(columnCount) are no multiple of \(length), so that blocks would share rows"
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
    let isNested = scheme.scale == .doubleQuantized
    let state = state(scheme, rowCount: rowCount, columnCount: columnCount, mean: 0)
    let blockCount = rowCount * columnCount / state.blockLength
    func part(_ name: String, _ type: DType, _ shape: [Int]) -> SchemePart {
      SchemePart(name: name, type: type, shape: shape, isPerRow: false)
    }
    var parts = [
      part("weight", .uint8, [rowCount * columnCount / 2, 1]),
      part("weight.absmax", isNested ? .uint8 : .float32, [blockCount]),
      part("weight.quant_map", .float32, [16]),
    ]
    if isNested {
      let nested = (blockCount + ScaleTree.doubleBlockCount - 1) / ScaleTree.doubleBlockCount
      parts.append(part("weight.nested_absmax", .float32, [nested]))
      parts.append(part("weight.nested_quant_map", .float32, [256]))
    }
    parts.append(
      part("weight." + BitsAndBytesState.arrayName(state.book), .uint8, [state.byteCount]))
    return parts
  }

  /// What the JSON says of a matrix that can be stored.
  private func state(
    _ scheme: Scheme, rowCount: Int, columnCount: Int, mean: Float
  ) -> BitsAndBytesState {
    var length = 64
    if case .group(let count) = scheme.granularity { length = count }
    return BitsAndBytesState(
      book: scheme.element == .codebook(.fp4) ? .fp4 : .nf4, blockLength: length,
      originalType: originalType, shape: [rowCount, columnCount],
      mean: scheme.scale == .doubleQuantized ? mean : nil)
  }

  public func pack(_ tensor: QuantizedTensor) throws(QuantizationError) -> [NamedBytes] {
    let parts = try parts(
      tensor.scheme, rowCount: tensor.rowCount, columnCount: tensor.columnCount)
    var mean: Float = 0
    var scales: [UInt8] = []
    var nested: [[UInt8]] = []
    switch tensor.scales {
    case .float32(let values): scales = values.withUnsafeBytes { [UInt8]($0) }
    case .doubleQuantized(let codes, let largest, let common):
      guard common.isFinite else {
        throw QuantizationError(.unsupported, "the mean of the scales is \(common)")
      }
      (scales, mean) = (codes, common)
      nested = [
        largest.withUnsafeBytes { [UInt8]($0) },
        DynamicMap.levels.withUnsafeBytes { [UInt8]($0) },
      ]
    default: throw QuantizationError(.shape, "scales do not fit the scheme \(tensor.scheme)")
    }
    let state = state(
      tensor.scheme, rowCount: tensor.rowCount, columnCount: tensor.columnCount, mean: mean)
    let map = CodeMap(state.book)
    let arrays =
      [map.packed(tensor.codes), scales, map.values.withUnsafeBytes { [UInt8]($0) }] + nested
      + [state.bytes]
    return zip(parts, arrays).map { NamedBytes(name: $0.name, bytes: $1) }
  }

  public func unpack(
    _ parts: [NamedBytes], rowCount: Int, columnCount: Int, scheme: Scheme
  ) throws(QuantizationError) -> QuantizedTensor {
    let expected = try self.parts(scheme, rowCount: rowCount, columnCount: columnCount)
    // The JSON may be laid out in another way than ours.
    guard let json = parts.last?.bytes, parts.count == expected.count,
      zip(parts, expected).dropLast().allSatisfy({ $0.bytes.count == $1.byteCount })
    else {
      throw QuantizationError(
        .malformed, "the arrays do not fit \(rowCount) rows of \(columnCount) as \(scheme)")
    }
    let found: BitsAndBytesState
    do {
      found = try BitsAndBytesState(json)
    } catch {
      throw QuantizationError(.malformed, error.message)
    }
    var wanted = state(
      scheme, rowCount: rowCount, columnCount: columnCount, mean: found.mean ?? 0)
    wanted.originalType = found.originalType
    guard found == wanted else {
      throw QuantizationError(
        .malformed, "its quant_state is not that of \(rowCount) rows of \(columnCount) as \(scheme)"
      )
    }
    let map = CodeMap(found.book)
    guard [Float](littleEndianBytes: parts[2].bytes) == map.values else {
      throw QuantizationError(
        .unsupported, "its quant_map is not the book of \(found.book.rawValue)")
    }
    var scales = ScaleTree.float32([])
    if let mean = found.mean {
      guard [Float](littleEndianBytes: parts[4].bytes) == DynamicMap.levels else {
        throw QuantizationError(
          .unsupported, "its nested_quant_map is not the dynamic map of 8 bits")
      }
      scales = .doubleQuantized(
        codes: parts[1].bytes, largest: [Float](littleEndianBytes: parts[3].bytes), mean: mean)
    } else {
      scales = .float32([Float](littleEndianBytes: parts[1].bytes))
    }
    return try QuantizedTensor(
      rowCount: rowCount, columnCount: columnCount, scheme: scheme,
      codes: map.unpacked(parts[0].bytes), scales: scales)
  }
}

/// How the codes of a file and ours, which ascend with their levels, belong together.
private struct CodeMap {
  /// The file's `quant_map`: the level of each of its codes.
  let values: [Float]
  /// Our code for each of the file's.
  private let fromFile: [UInt8]
  private let toFile: [UInt8]

  init(_ book: Codebook) {
    if book == .fp4 {
      // A sign bit over the index of a magnitude; Nibble's codes of the two zeros are 7 and 8.
      fromFile = [8, 9, 14, 15, 12, 13, 10, 11, 7, 6, 1, 0, 3, 2, 5, 4]
    } else {
      fromFile = (0..<16).map { UInt8($0) }
    }
    var inverse = [UInt8](repeating: 0, count: 16)
    for (code, own) in fromFile.enumerated() { inverse[Int(own)] = UInt8(code) }
    toFile = inverse
    let levels = book.levels
    // The file's negative zero is written as a zero without a sign.
    values = fromFile.map { levels[Int($0)] == 0 ? 0 : levels[Int($0)] }
  }

  /// Two codes a byte, the first in the high bits.
  ///
  /// - Precondition: `codes` are of an even number.
  func packed(_ codes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: codes.count / 2) { bytes, count in
      codes.withUnsafeBufferPointer { codes in
        toFile.withUnsafeBufferPointer { map in
          for index in 0..<codes.count / 2 {
            let high = map[Int(codes[2 * index] & 15)]
            bytes[index] = high << 4 | map[Int(codes[2 * index + 1] & 15)]
          }
        }
      }
      count = codes.count / 2
    }
  }

  func unpacked(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 2 * bytes.count) { codes, count in
      bytes.withUnsafeBufferPointer { bytes in
        fromFile.withUnsafeBufferPointer { map in
          for index in 0..<bytes.count {
            codes[2 * index] = map[Int(bytes[index] >> 4)]
            codes[2 * index + 1] = map[Int(bytes[index] & 15)]
          }
        }
      }
      count = 2 * bytes.count
    }
  }
}
