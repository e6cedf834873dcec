internal import CNibbleKernels

/// Rows of codes as words of 32 bits, the way in which GPTQ, AWQ and their kin store them.
///
/// The codes of a row form a stream of bits, the first code in the lowest bits; the stream is cut into words. A code of 3 bits
/// may straddle two words.
public enum CodeWords {
  /// The words `[rowCount, columnCount * bits / 32]` of codes `[rowCount, columnCount]`, each of 1 to 8 bits.
  ///
  /// - Precondition: the bits of a row fill whole words.
  public static func packed(
    _ codes: [UInt8], rowCount: Int, columnCount: Int, bits: Int
  ) -> [UInt32] {
    precondition((1...8).contains(bits) && codes.count == rowCount * columnCount)
    precondition(columnCount * bits % 32 == 0)
    let rowWordCount = columnCount * bits / 32
    let count = rowCount * rowWordCount
    return [UInt32](unsafeUninitializedCapacity: count) { words, initialized in
      codes.withUnsafeBufferPointer { codes in
        let bytes = UnsafeMutableRawPointer(words.baseAddress)?
          .assumingMemoryBound(to: UInt8.self)
        if count > 0, let source = codes.baseAddress, let target = bytes {
          for row in 0..<rowCount {
            nk_pack_bits(
              source + row * columnCount, columnCount, Int32(bits), target + 4 * row * rowWordCount)
          }
        }
      }
      initialized = count
    }
  }

  /// Undoes ``packed(_:rowCount:columnCount:bits:)``.
  public static func unpacked(
    _ words: [UInt32], rowCount: Int, columnCount: Int, bits: Int
  ) -> [UInt8] {
    precondition((1...8).contains(bits) && columnCount * bits % 32 == 0)
    let rowWordCount = columnCount * bits / 32
    precondition(words.count == rowCount * rowWordCount)
    let count = rowCount * columnCount
    return [UInt8](unsafeUninitializedCapacity: count) { codes, initialized in
      words.withUnsafeBytes { words in
        let bytes = words.baseAddress?.assumingMemoryBound(to: UInt8.self)
        if count > 0, let source = bytes, let target = codes.baseAddress {
          for row in 0..<rowCount {
            nk_unpack_bits(
              source + 4 * row * rowWordCount, columnCount, Int32(bits), target + row * columnCount)
          }
        }
      }
      initialized = count
    }
  }
}
