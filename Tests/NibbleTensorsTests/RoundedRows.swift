import CNibbleKernels

/// Rows of keys or values rounded to blocks of 8-bit codes, and what they then stand for (`nk_attention.h`).
struct RoundedRows {
  let bytes: [UInt8]
  let values: [Float]

  /// - Parameters:
  ///   - numbers: `[positions, size]`.
  ///   - size: numbers of a row.
  init(_ numbers: [Float], size: Int) {
    let byteCount = nk_attention_row_bytes(NK_ATTENTION_BLOCKS, size)
    var bytes: [UInt8] = []
    var values: [Float] = []
    for first in stride(from: 0, to: numbers.count, by: size) {
      var row = [UInt8](repeating: 0xAA, count: byteCount)
      nk_attention_round(Array(numbers[first..<first + size]), size, &row)
      bytes += row
      for index in 0..<size {
        let place = size + 2 * (index / Int(NK_ATTENTION_BLOCK))
        let half = UInt16(row[place]) | UInt16(row[place + 1]) << 8
        // The scale in Double arithmetic, apart from the code under test.
        let scale = Self.value(ofHalf: half)
        values.append(Float(scale * Double(Int8(bitPattern: row[index]))))
      }
    }
    self.bytes = bytes
    self.values = values
  }

  /// The value of a half precision number that is not negative.
  private static func value(ofHalf bits: UInt16) -> Double {
    let (exponent, fraction) = (Int(bits >> 10), Double(bits & 0x3FF))
    if exponent == 31 { return fraction == 0 ? .infinity : .nan }
    var value = exponent == 0 ? fraction : 1024 + fraction
    for _ in 0..<24 { value /= 2 }
    for _ in 1..<max(1, exponent) { value *= 2 }
    return value
  }
}
