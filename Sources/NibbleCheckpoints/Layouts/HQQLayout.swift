public import NibbleQuantization
internal import NibbleTensors

/// HQQ's arrangement of a quantized matrix, for reading (Docs/Formats/hqq.md; Badri and Shaji 2023).
///
/// The weights, row by row, are cut into R groups of g. Words hold codes of groups that are far apart: the first field of word
/// (r, j) belongs to group r, the next one to group r + S, and so on, where S groups of words are stored. The fields stand from
/// the highest bits down.
///
/// `value = (code - zero) * scale` with a real zero. It is read as `code * scale + minimum` with the minimum `-zero * scale` in
/// single precision: exact for half-precision zeros and scales, and rounded once for single ones.
public struct HQQLayout: ArrayLayout {
  /// Bits of a stored code; one bit is read as two, because no scheme that has a name has codes of one.
  let bitCount: Int
  /// What the scales and zeros are stored as: half, bfloat16 or single.
  let numbers: ScaleFormat

  static let refusal =
    "Nibble reads HQQ folders and does not write them; format mlx holds the same codes, scales and minima"

  public func canRepresent(_ scheme: Scheme) -> Bool { false }

  public func obstacle(to scheme: Scheme, rowCount: Int, columnCount: Int) -> String? {
    Self.refusal
  }

  public func parts(
    _ scheme: Scheme, rowCount: Int, columnCount: Int
  ) throws(QuantizationError) -> [SchemePart] {
    throw QuantizationError(.unsupported, Self.refusal)
  }

  public func pack(_ tensor: QuantizedTensor) throws(QuantizationError) -> [NamedBytes] {
    throw QuantizationError(.unsupported, Self.refusal)
  }

  public func unpack(
    _ parts: [NamedBytes], rowCount: Int, columnCount: Int, scheme: Scheme
  ) throws(QuantizationError) -> QuantizedTensor {
    guard case .uint(let bits) = scheme.element, bits == Self.schemeBitCount(bitCount),
      let packing = HQQPacking(bitCount: bitCount),
      case .group(let length) = scheme.granularity, length > 0, columnCount % length == 0,
      scheme.scale == .float32, scheme.offset == .minimum(.float32), !scheme.hasColumnOrder
    else { throw QuantizationError(.unsupported, "HQQ does not store \(scheme)") }
    let groupCount = try scheme.groupCount(rowCount: rowCount, columnCount: columnCount)
    let wordCount = packing.wordCount(groupCount: groupCount) * length
    let numberByteCount = groupCount * (numbers == .float32 ? 4 : 2)
    guard parts.count == 3, parts[0].bytes.count == wordCount * packing.wordByteCount,
      parts[1].bytes.count == numberByteCount, parts[2].bytes.count == numberByteCount
    else {
      throw QuantizationError(
        .malformed, "the arrays do not fit \(rowCount) rows of \(columnCount) as \(scheme)")
    }
    let scales = values(parts[1].bytes)
    let zeros = values(parts[2].bytes)
    return try QuantizedTensor(
      rowCount: rowCount, columnCount: columnCount, scheme: scheme,
      codes: packing.unpack(parts[0].bytes, count: rowCount * columnCount),
      scales: .float32(scales), offsets: .float32(zip(zeros, scales).map { -($0 * $1) }))
  }

  /// Bits of a code in the scheme of a layer.
  static func schemeBitCount(_ bitCount: Int) -> Int { max(2, bitCount) }

  private func values(_ bytes: [UInt8]) -> [Float] {
    bytes.withUnsafeBytes { bytes in
      func bits() -> [UInt16] {
        (0..<bytes.count / 2).map { bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self) }
      }
      switch numbers {
      case .float16: return ScaleTree.float16(bits()).values()
      case .bfloat16: return ScaleTree.bfloat16(bits()).values()
      default:
        return (0..<bytes.count / 4).map {
          bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
        }
      }
    }
  }
}

/// How many codes a word holds and where.
struct HQQPacking: Sendable {
  let bitCount: Int
  /// Codes of a word.
  let fieldCount: Int
  /// 4 for ten codes of 3 bits, else 1.
  let wordByteCount: Int

  init?(bitCount: Int) {
    guard [1, 2, 3, 4, 8].contains(bitCount) else { return nil }
    self.bitCount = bitCount
    fieldCount = bitCount == 3 ? 10 : 8 / bitCount
    wordByteCount = bitCount == 3 ? 4 : 1
  }

  /// The groups of words that hold so many groups of codes; the last field may be partly unused.
  func wordCount(groupCount: Int) -> Int { (groupCount + fieldCount - 1) / fieldCount }

  /// The codes of `count` weights, row by row.
  ///
  /// - Precondition: `words` holds at least that many.
  func unpack(_ words: [UInt8], count: Int) -> [UInt8] {
    let wordCount = words.count / wordByteCount
    precondition(wordCount * fieldCount >= count)
    let mask = UInt32(1 << bitCount - 1)
    return [UInt8](unsafeUninitializedCapacity: count) { codes, initialized in
      words.withUnsafeBytes { words in
        for field in 0..<fieldCount {
          let first = field * wordCount
          let shift = UInt32(bitCount * (fieldCount - 1 - field))
          for index in 0..<max(0, min(wordCount, count - first)) {
            let word =
              wordByteCount == 1
              ? UInt32(words[index])
              : words.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)
            codes[first + index] = UInt8(truncatingIfNeeded: word >> shift & mask)
          }
        }
      }
      initialized = count
    }
  }
}
