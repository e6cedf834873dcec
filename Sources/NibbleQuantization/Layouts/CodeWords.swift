internal import CNibbleKernels

/// Rows of codes as 32-bit words, the first code in the lowest bits; each row begins with a word of its own and is filled
/// up with zeros.
public enum CodeWords {
  /// How codes meet the end of a word.
  public enum Packing: Hashable, Sendable {
    /// They run on from word to word.
    case dense
    /// Each word holds as many whole codes as fit; the bits above these are zeros.
    case wholeCodes
  }

  /// Words of a row.
  ///
  /// - Precondition: `bits` is in 1...8, and `columnCount` >= 0 is less than 2^59.
  public static func wordCount(columnCount: Int, bits: Int, packing: Packing = .dense) -> Int {
    switch packing {
    case .dense: (columnCount * bits + 31) / 32
    case .wholeCodes: (columnCount + 32 / bits - 1) / (32 / bits)
    }
  }

  /// Packs `[rowCount, columnCount]` codes that are less than 2^bits.
  ///
  /// - Returns: the words' bytes, little-endian.
  /// - Precondition: the counts fit each other.
  public static func pack(
    _ codes: [UInt8], rowCount: Int, columnCount: Int, bits: Int, packing: Packing = .dense
  ) -> [UInt8] {
    precondition(codes.count == rowCount * columnCount)
    let rowByteCount = 4 * wordCount(columnCount: columnCount, bits: bits, packing: packing)
    let perWord = packing == .dense || 32 % bits == 0 ? max(columnCount, 1) : 32 / bits
    var bytes = [UInt8](repeating: 0, count: rowCount * rowByteCount)
    bytes.withUnsafeMutableBufferPointer { bytes in
      codes.withUnsafeBufferPointer { codes in
        guard let source = codes.baseAddress, let target = bytes.baseAddress else { return }
        for row in 0..<rowCount {
          var place = target + row * rowByteCount
          for first in stride(from: 0, to: columnCount, by: perWord) {
            nk_pack_bits(
              source + row * columnCount + first, min(perWord, columnCount - first), Int32(bits),
              place)
            place += 4
          }
        }
      }
    }
    return bytes
  }

  /// Unpacks what ``pack(_:rowCount:columnCount:bits:packing:)`` packed.
  ///
  /// - Precondition: `bytes` are all words of all rows.
  public static func unpack(
    _ bytes: [UInt8], rowCount: Int, columnCount: Int, bits: Int, packing: Packing = .dense
  ) -> [UInt8] {
    let rowByteCount = 4 * wordCount(columnCount: columnCount, bits: bits, packing: packing)
    precondition(bytes.count == rowCount * rowByteCount)
    let perWord = packing == .dense || 32 % bits == 0 ? max(columnCount, 1) : 32 / bits
    var codes = [UInt8](repeating: 0, count: rowCount * columnCount)
    codes.withUnsafeMutableBufferPointer { codes in
      bytes.withUnsafeBufferPointer { bytes in
        guard let source = bytes.baseAddress, let target = codes.baseAddress else { return }
        for row in 0..<rowCount {
          var place = source + row * rowByteCount
          for first in stride(from: 0, to: columnCount, by: perWord) {
            nk_unpack_bits(
              place, min(perWord, columnCount - first), Int32(bits),
              target + row * columnCount + first)
            place += 4
          }
        }
      }
    }
    return codes
  }

  /// The words `[rowCount, wordCount]` as numbers, for layouts that move them.
  public static func packed(
    _ codes: [UInt8], rowCount: Int, columnCount: Int, bits: Int
  ) -> [UInt32] {
    let bytes = pack(codes, rowCount: rowCount, columnCount: columnCount, bits: bits)
    return [UInt32](unsafeUninitializedCapacity: bytes.count / 4) { words, count in
      UnsafeMutableRawBufferPointer(words).copyBytes(from: bytes)
      count = bytes.count / 4
    }
  }

  /// Undoes ``packed(_:rowCount:columnCount:bits:)``.
  public static func unpacked(
    _ words: [UInt32], rowCount: Int, columnCount: Int, bits: Int
  ) -> [UInt8] {
    unpack(
      words.withUnsafeBytes { [UInt8]($0) }, rowCount: rowCount, columnCount: columnCount,
      bits: bits)
  }

  /// The codes `[rowCount, columnCount]` in words that hold one column of 8 rows each, 4 bits a code.
  ///
  /// - Parameters:
  ///   - words: `[rowCount / 8, columnCount]`.
  ///   - columnCount: columns of a row, more than 0.
  ///   - order: the row whose code stands in each field of a word, the lowest first.
  /// - Returns: the codes.
  /// - Precondition: the counts fit each other.
  public static func unpackedRows(
    _ words: [UInt32], columnCount: Int, order: [Int]
  ) -> [UInt8] {
    precondition(order.count == 8 && order.allSatisfy((0..<8).contains))
    precondition(columnCount > 0 && words.count % columnCount == 0)
    return [UInt8](unsafeUninitializedCapacity: 8 * words.count) { codes, count in
      words.withUnsafeBufferPointer { words in
        guard let source = words.baseAddress, let target = codes.baseAddress else { return }
        for first in stride(from: 0, to: words.count, by: columnCount) {
          for (field, row) in order.enumerated() {
            nk_take_fields(
              source + first, columnCount, Int32(4 * field), 15,
              target + 8 * first + row * columnCount)
          }
        }
      }
      count = 8 * words.count
    }
  }

  /// Undoes ``unpackedRows(_:columnCount:order:)``.
  public static func packedRows(_ codes: [UInt8], columnCount: Int, order: [Int]) -> [UInt32] {
    precondition(order.count == 8 && order.allSatisfy((0..<8).contains))
    precondition(columnCount > 0 && codes.count % (8 * columnCount) == 0)
    var words = [UInt32](repeating: 0, count: codes.count / 8)
    words.withUnsafeMutableBufferPointer { words in
      codes.withUnsafeBufferPointer { codes in
        guard let source = codes.baseAddress, let target = words.baseAddress else { return }
        for first in stride(from: 0, to: words.count, by: columnCount) {
          for (field, row) in order.enumerated() {
            nk_put_fields(
              source + 8 * first + row * columnCount, columnCount, Int32(4 * field), target + first)
          }
        }
      }
    }
    return words
  }
}
