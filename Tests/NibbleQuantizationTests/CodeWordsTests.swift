import NibbleQuantization
import Testing

/// Codes in words, and words turned on their side.
@Suite struct CodeWordsTests {
  @Test(arguments: [(1, 5), (7, 1), (31, 16), (33, 17), (64, 15), (96, 48), (40, 200)])
  func wordsOnTheirSide(_ rowCount: Int, _ columnCount: Int) {
    let words = (0..<UInt32(rowCount * columnCount)).map { $0 &* 2_654_435_761 }
    let bytes = words.withUnsafeBytes { [UInt8]($0) }
    let turned = CodeWords.transposed(bytes, rowCount: rowCount, columnCount: columnCount)
    let expected = (0..<columnCount).flatMap { column in
      (0..<rowCount).map { words[$0 * columnCount + column] }
    }
    #expect(turned == expected.withUnsafeBytes { [UInt8]($0) })
    #expect(
      CodeWords.transposed(turned, rowCount: columnCount, columnCount: rowCount) == bytes)
  }

  @Test(arguments: 1...8, [CodeWords.Packing.dense, .wholeCodes])
  func packedAndBack(_ bits: Int, _ packing: CodeWords.Packing) {
    for columnCount in [1, 7, 32, 45, 96] {
      let mask = UInt8((1 << bits) - 1)
      let codes = (0..<3 * columnCount).map { UInt8(truncatingIfNeeded: $0 &* 37) & mask }
      let bytes = CodeWords.pack(
        codes, rowCount: 3, columnCount: columnCount, bits: bits, packing: packing)
      #expect(
        bytes.count
          == 12 * CodeWords.wordCount(columnCount: columnCount, bits: bits, packing: packing))
      #expect(
        codes
          == CodeWords.unpack(
            bytes, rowCount: 3, columnCount: columnCount, bits: bits, packing: packing))
    }
  }
}
