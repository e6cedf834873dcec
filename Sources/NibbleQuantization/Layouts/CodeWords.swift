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
    let isFull = packing == .dense && columnCount * bits == 8 * rowByteCount
    return [UInt8](unsafeUninitializedCapacity: rowCount * rowByteCount) { bytes, count in
      count = rowCount * rowByteCount
      if !isFull { bytes.initialize(repeating: 0) }
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
    return [UInt8](unsafeUninitializedCapacity: rowCount * columnCount) { codes, count in
      count = rowCount * columnCount
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
  }

  /// Words `[rowCount, columnCount]` turned on their side, `[columnCount, rowCount]`.
  ///
  /// - Precondition: `bytes` are all words of all rows.
  public static func transposed(_ bytes: [UInt8], rowCount: Int, columnCount: Int) -> [UInt8] {
    precondition(bytes.count == 4 * rowCount * columnCount)
    if rowCount == 1 || columnCount == 1 { return bytes }
    return [UInt8](unsafeUninitializedCapacity: bytes.count) { target, count in
      count = bytes.count
      bytes.withUnsafeBytes { source in
        guard let source = source.baseAddress, let target = target.baseAddress else { return }
        nk_transpose_words(source, rowCount, columnCount, target)
      }
    }
  }

  /// The codes `[rowCount, columnCount]` in words that hold one column of 8 rows each, 4 bits a code.
  ///
  /// - Parameters:
  ///   - words: the bytes of `[rowCount / 8, columnCount]` words.
  ///   - columnCount: columns of a row, more than 0.
  ///   - order: the row whose code stands in each field of a word, the lowest first.
  /// - Returns: the codes.
  /// - Precondition: the counts fit each other.
  public static func unpackedRows(
    _ words: [UInt8], columnCount: Int, order: [Int]
  ) -> [UInt8] {
    precondition(order.count == 8 && order.allSatisfy((0..<8).contains))
    precondition(columnCount > 0 && words.count % (4 * columnCount) == 0)
    return [UInt8](unsafeUninitializedCapacity: 2 * words.count) { codes, count in
      count = 2 * words.count
      words.withUnsafeBytes { words in
        let words = words.assumingMemoryBound(to: UInt32.self)
        guard let source = words.baseAddress, let target = codes.baseAddress else { return }
        for first in stride(from: 0, to: words.count, by: columnCount) {
          for (field, row) in order.enumerated() {
            nk_take_fields(
              source + first, columnCount, Int32(4 * field), 15,
              target + 8 * first + row * columnCount)
          }
        }
      }
    }
  }

  /// Undoes ``unpackedRows(_:columnCount:order:)``.
  public static func packedRows(_ codes: [UInt8], columnCount: Int, order: [Int]) -> [UInt8] {
    precondition(order.count == 8 && order.allSatisfy((0..<8).contains))
    precondition(columnCount > 0 && codes.count % (8 * columnCount) == 0)
    var words = [UInt8](repeating: 0, count: codes.count / 2)
    words.withUnsafeMutableBytes { words in
      let words = words.assumingMemoryBound(to: UInt32.self)
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
