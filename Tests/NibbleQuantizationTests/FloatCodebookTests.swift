import NibbleQuantization
import Testing

/// The 8-bit floats E4M3 as levels of a scheme.
@Suite struct FloatCodebookTests {
  /// The codes of values whose scale is 1: the first is the highest level.
  private func codes(_ values: [Float]) throws -> [UInt8] {
    let scheme = try #require(Scheme(name: "e4m3-row"))
    let row = [448] + values
    let tensor = try row.withUnsafeBufferPointer {
      try RoundToNearest(range: AbsMax())
        .quantize($0, rowCount: 1, columnCount: row.count, as: scheme)
    }
    #expect(tensor.scales == .float32([1]))
    return Array(tensor.codes.dropFirst())
  }

  /// The value of the E4M3 number of that magnitude code, by the formula of the format.
  private func value(_ code: Int) -> Float {
    let (exponent, fraction) = (code >> 3, Float(code & 7))
    if exponent == 0 { return fraction * 0x1p-9 }
    return (1 + fraction / 8) * Float(sign: .plus, exponent: exponent - 7, significand: 1)
  }

  @Test func levels() {
    let levels = ElementFormat.codebook(.e4m3).levels
    #expect(levels == (0..<254).map { $0 < 127 ? -value(126 - $0) : value($0 - 127) })
  }

  @Test("Levels keep their codes, and middles go to the even fraction")
  func rounding() throws {
    #expect(try codes((1..<127).map(value)) == (128..<254).map { UInt8($0) })
    #expect(try codes((1..<127).map { -value($0) }) == (1..<127).map { UInt8(126 - $0) })
    let middles = (0..<126).map { (value($0) + value($0 + 1)) / 2 }
    let even = (0..<126).map { $0 % 2 == 0 ? $0 : $0 + 1 }
    #expect(try codes(middles) == even.map { UInt8(127 + $0) })
    // Zero has one sign.
    #expect(try codes(middles.map { -$0 }) == even.map { UInt8($0 == 0 ? 127 : 126 - $0) })
    #expect(try codes([0, -0.0, 0x1p-11, -0x1p-11]) == [127, 127, 127, 127])
    #expect(try codes(middles.map(\.nextUp)) == (0..<126).map { UInt8(128 + $0) })
  }
}
