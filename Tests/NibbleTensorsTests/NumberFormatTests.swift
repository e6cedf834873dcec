import Foundation
import NibbleTensors
import Testing

@Suite struct NumberFormatTests {
  static let floats = NumberFormat.all + [.float8E4M3FNUZ, .float8E5M2FNUZ]

  /// Every pattern is a number that is written as this pattern.
  @Test(arguments: floats.filter { $0.bitCount <= 16 })
  func encodeUndoesDecode(_ format: NumberFormat) {
    for bits in 0..<UInt32(1) << UInt32(format.bitCount) {
      let value = format.decode(bits)
      if value.isNaN {
        #expect(format.decode(format.encode(value)).isNaN)
      } else if format.encode(value) != bits {
        Issue.record("\(format.name) \(bits) is \(value), written as \(format.encode(value))")
      }
    }
  }

  @Test func float32IsFloat() {
    var random = RandomSource(seed: 5)
    for _ in 0..<20_000 {
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
      if value.isNaN { continue }
      let isSame =
        NumberFormat.float32.encode(value) == value.bitPattern
        && NumberFormat.float32.decode(value.bitPattern).bitPattern == value.bitPattern
      if !isSame { Issue.record("\(value)") }
      // A double next to a float, or half-way to the next one, rounds as Swift's conversion does.
      for factor in [1 + 0x1p-24, 1 + 0x1p-25, 1 - 0x1p-30] {
        let double = Double(value) * factor
        if NumberFormat.float32.encode(double) != Float(double).bitPattern {
          Issue.record("\(double)")
        }
      }
    }
  }

  /// The 16-bit formats are what the kernels make of them.
  @Test func halvesAreHalves() {
    for bits in UInt16.min...UInt16.max {
      let half = Half.float(bits)
      let bfloat = BFloat16.float(bits)
      let agree =
        same(NumberFormat.float16.decode(UInt32(bits)), half)
        && same(NumberFormat.bfloat16.decode(UInt32(bits)), bfloat)
        && (half.isNaN ? Half.float(Half.bits(half)).isNaN : Half.bits(half) == bits)
        && (bfloat.isNaN
          ? BFloat16.float(BFloat16.bits(bfloat)).isNaN : BFloat16.bits(bfloat) == bits)
      if !agree { Issue.record("pattern \(bits)") }
    }
  }

  private func same(_ a: Float, _ b: Float) -> Bool {
    a.bitPattern == b.bitPattern || a.isNaN && b.isNaN
  }

  @Test func properties() {
    let half = NumberFormat.float16
    #expect(half.largest == 65504 && half.lowest == -65504)
    #expect(half.smallestNormal == 0x1p-14 && half.smallestSubnormal == 0x1p-24)
    #expect(half.machineEpsilon == 0x1p-10 && half.bytesPerValue == 2)
    #expect(abs(half.significantDecimalDigits - 3.311) < 0.001)
    #expect(half.hasInfinities && half.hasNaN)
    #expect(NumberFormat.float32.largest == Double(Float.greatestFiniteMagnitude))
    #expect(NumberFormat.float32.smallestSubnormal == 0x1p-149)
    #expect(NumberFormat.bfloat16.largest == 0x1.FEp127)
    #expect(NumberFormat.float8E4M3.largest == 448 && NumberFormat.float8E5M2.largest == 57344)
    #expect(NumberFormat.float8E4M3.smallestSubnormal == 0x1p-9)
    #expect(!NumberFormat.float8E4M3.hasInfinities && NumberFormat.float8E4M3.hasNaN)
    #expect(NumberFormat.float8E4M3FNUZ.largest == 240)
    #expect(NumberFormat.float4E2M1.largest == 6 && !NumberFormat.float4E2M1.hasNaN)
    #expect(NumberFormat.e8m0.largest == 0x1p127 && NumberFormat.e8m0.lowest == 0x1p-127)
    #expect(NumberFormat.int(4).lowest == -8 && NumberFormat.int(4).largest == 7)
    #expect(NumberFormat.uint(8).lowest == 0 && NumberFormat.uint(8).largest == 255)
    #expect(NumberFormat.int(4).bytesPerValue == 0.5)
    for format in Self.floats {
      let fields = format.signBitCount + format.exponentBitCount + format.fractionBitCount
      #expect(fields == format.bitCount)
    }
  }

  @Test func beyondTheLargest() {
    let e4m3 = NumberFormat.float8E4M3
    #expect(e4m3.encode(464.0) == 0x7E && e4m3.encode(464.5) == 0x7F)
    #expect(e4m3.encode(-1e30, overflow: .saturating) == 0xFE)
    #expect(e4m3.encode(-Float.infinity) == 0xFF)
    let e5m2 = NumberFormat.float8E5M2
    #expect(e5m2.encode(61440.0) == 0x7C && e5m2.encode(61439.0) == 0x7B)
    #expect(e5m2.encode(Float.infinity, overflow: .saturating) == 0x7B)
    #expect(NumberFormat.float16.encode(65520.0) == 0x7C00)
    #expect(
      NumberFormat.float4E2M1.encode(-1e9) == 0xF && NumberFormat.float4E2M1.encode(Float.nan) == 0)
    #expect(NumberFormat.int(4).encode(100.0) == 7 && NumberFormat.int(4).encode(-100.0) == 8)
    #expect(NumberFormat.uint(4).encode(-3.0) == 0 && NumberFormat.int(8).encode(Double.nan) == 0)
    #expect(NumberFormat.e8m0.encode(0.0) == 255 && NumberFormat.e8m0.encode(-1.0) == 255)
    #expect(NumberFormat.e8m0.encode(0x1.2p-127) == 0 && NumberFormat.e8m0.encode(0x1.8p-127) == 1)
    #expect(NumberFormat.e8m0.encode(0.0, overflow: .saturating) == 0)
    #expect(NumberFormat.e8m0.encode(Double.infinity, overflow: .saturating) == 254)
  }

  @Test func names() {
    for format in NumberFormat.all {
      #expect(NumberFormat(name: format.name.uppercased()) == format)
    }
    for (name, format) in [
      ("half", NumberFormat.float16), ("float8_e4m3fn", .float8E4M3), ("E2M1", .float4E2M1),
      ("INT4", .int(4)), ("F8_E5M2", .float8E5M2), ("int16", .int(16)),
    ] { #expect(NumberFormat(name: name) == format) }
    #expect(NumberFormat(name: "fp9") == nil && NumberFormat(name: "") == nil)
  }

  @Test func storedTypes() {
    for type in DType.allCases {
      guard let format = type.numberFormat else { continue }
      #expect(format.bitCount == type.bitCount)
      #expect(DType(format) == type)
    }
    #expect(DType(.int(3)) == nil && DType.float64.numberFormat == nil)
  }
}
