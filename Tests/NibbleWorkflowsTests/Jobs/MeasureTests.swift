import Nibble
import NibbleWorkflows
import Testing

@Suite("Hash, error and row codec")
struct MeasureTests {
  @Test("The hash sees every bit and the length")
  func hash() {
    var random = RandomSource(seed: 3)
    for count in [0, 1, 7, 31, 32, 33, 100, 4096] {
      var bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      let original = bytes.withUnsafeBytes { ByteHash($0) }
      #expect(bytes.withUnsafeBytes { ByteHash($0) } == original)
      for index in stride(from: 0, to: count, by: 3) {
        bytes[index] ^= 1 << (index % 8)
        #expect(bytes.withUnsafeBytes { ByteHash($0) } != original)
        bytes[index] ^= 1 << (index % 8)
      }
      bytes.append(0)
      #expect(bytes.withUnsafeBytes { ByteHash($0) } != original)
    }
  }

  @Test("The relative error equals the sum in double precision", arguments: [1, 8, 1023, 5000])
  func relativeError(count: Int) {
    var random = RandomSource(seed: 5)
    var weights = (0..<count).map { _ in Float(random.gaussian()) }
    var close = weights.map { $0 + 0.1 * Float(random.gaussian()) }
    let difference = zip(weights, close).reduce(0.0) { sum, pair in
      let gap = Double(pair.0) - Double(pair.1)
      return sum + gap * gap
    }
    let energy = weights.reduce(0.0) { $0 + Double($1) * Double($1) }
    let measured = weights.withUnsafeMutableBufferPointer { weights in
      close.withUnsafeMutableBufferPointer { SquaredDifference(weights, $0) }
    }
    #expect(abs(measured.relativeError / (difference / energy) - 1) < 1e-5)
  }

  @Test("Zeros that stay zeros have no error, zeros that became something an infinite one")
  func zeros() {
    var zeros = [Float](repeating: 0, count: 20)
    var ones = [Float](repeating: 1, count: 20)
    zeros.withUnsafeMutableBufferPointer { zeros in
      #expect(SquaredDifference(zeros, zeros).relativeError == 0)
      ones.withUnsafeMutableBufferPointer { ones in
        #expect(SquaredDifference(zeros, ones).relativeError == .infinity)
      }
    }
  }

  @Test("8-bit floats decode to their definition")
  func eightBitFloats() throws {
    let cases: [(DType, UInt8, Float)] = [
      (.float8E4M3, 0x00, 0), (.float8E4M3, 0x01, 0x1p-9), (.float8E4M3, 0x08, 0x1p-6),
      (.float8E4M3, 0x38, 1), (.float8E4M3, 0xB8, -1), (.float8E4M3, 0x7E, 448),
      (.float8E4M3, 0x3C, 1.5), (.float8E5M2, 0x01, 0x1p-16), (.float8E5M2, 0x3C, 1),
      (.float8E5M2, 0x7B, 57344), (.float8E5M2, 0xC1, -2.5), (.float8E5M2, 0x7C, .infinity),
      (.float8E5M2, 0xFC, -.infinity),
    ]
    for (type, code, expected) in cases {
      #expect(try decode(.plain(type), [code]) == [expected])
    }
    #expect(try decode(.plain(.float8E4M3), [0x7F, 0xFF]).allSatisfy(\.isNaN))
    #expect(try decode(.plain(.float8E5M2), [0x7D, 0xFE]).allSatisfy(\.isNaN))
    let double = withUnsafeBytes(of: -0.25) { Array($0) }
    #expect(try decode(.plain(.float64), double) == [-0.25])
    #expect(RowCodec.canDecode(.plain(.int32)) == false)
  }

  private func decode(_ type: StoredType, _ bytes: [UInt8]) throws -> [Float] {
    var values = [Float](repeating: 0, count: bytes.count * 8 / Int(type.bitsPerWeight))
    try bytes.withUnsafeBytes { bytes in
      try values.withUnsafeMutableBufferPointer { try RowCodec.decode(type, bytes, into: $0) }
    }
    return values
  }
}
