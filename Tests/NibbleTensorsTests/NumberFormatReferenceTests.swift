import Foundation
import NibbleTensors
import Testing

/// Compares the number formats with ml_dtypes and PyTorch; scripts/fixtures/number-formats.py says how.
@Suite struct NumberFormatReferenceTests {
  struct Entry: Decodable, CustomStringConvertible {
    let name: String
    let values: [UInt32]?
    let ties: Int
    let hashes: [String: String]
    let saturating: [String: String]?
    var description: String { name }
  }

  static let entries: [Entry] = {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let url = folder.appending(path: "Fixtures/number-formats/formats.json")
    let data = try? Data(contentsOf: url)
    return data.flatMap { try? JSONDecoder().decode([Entry].self, from: $0) } ?? []
  }()

  @Test func fixtureIsThere() { #expect(Self.entries.count == 16) }

  @Test(arguments: entries) func everyPattern(_ entry: Entry) throws {
    let format = try #require(NumberFormat(name: entry.name))
    for (bits, expected) in (entry.values ?? []).enumerated() {
      let value = format.decode(UInt32(bits))
      #expect(value.bitPattern == expected || value.isNaN && Float(bitPattern: expected).isNaN)
    }
    #expect(entry.values?.count == (format.bitCount == 16 ? nil : 1 << format.bitCount))
  }

  @Test(arguments: entries) func everyRounding(_ entry: Entry) throws {
    let format = try #require(NumberFormat(name: entry.name))
    for set in ["halves", "random", "ties"] {
      let floats = Self.floats(set, format)
      if set == "ties" { #expect(floats.count == entry.ties) }
      let codes = floats.map { UInt16(format.encode($0)) }
      #expect(Self.hash(codes, floats, format) == entry.hashes[set], "\(entry.name), \(set)")
      if let saturating = entry.saturating {
        let codes = floats.map { UInt16(format.encode($0, overflow: .saturating)) }
        #expect(Self.hash(codes, floats, format) == saturating[set], "\(entry.name), \(set)")
      }
    }
  }

  /// The kernels give the bits of ``NumberFormat``, at every position of a row.
  @Test(arguments: ["halves", "random", "ties"]) func kernels(_ set: String) {
    for overflow in [NumberFormat.Overflow.asDefined, .saturating] {
      compare(set, .float8E4M3, overflow, Float8E4M3.decode) {
        Float8E4M3.encode($0, count: $1, overflow: overflow, into: $2)
      }
      compare(set, .float8E5M2, overflow, Float8E5M2.decode) {
        Float8E5M2.encode($0, count: $1, overflow: overflow, into: $2)
      }
    }
    compare(set, .float4E2M1, .asDefined, Float4E2M1.decode) {
      Float4E2M1.encode($0, count: $1, into: $2)
    }
  }

  private func compare(
    _ set: String, _ format: NumberFormat, _ overflow: NumberFormat.Overflow,
    _ decode: (UnsafePointer<UInt8>, Int, UnsafeMutablePointer<Float>) -> Void,
    _ encode: (UnsafePointer<Float>, Int, UnsafeMutablePointer<UInt8>) -> Void
  ) {
    let floats = Self.floats(set, format) + [.nan, -.nan, .infinity, -.infinity, -0.0]
    let expected = floats.map { UInt8(format.encode($0, overflow: overflow)) }
    var codes = [UInt8](repeating: 0, count: floats.count)
    encode(floats, floats.count, &codes)
    for (index, pair) in zip(codes, expected).enumerated() where pair.0 != pair.1 {
      Issue.record("\(format.name) of \(floats[index]): \(pair.0), not \(pair.1)")
    }
    var values = floats
    decode(codes, codes.count, &values)
    for (value, code) in zip(values, codes) {
      let number = format.decode(UInt32(code))
      if value.bitPattern != number.bitPattern && !(value.isNaN && number.isNaN) {
        Issue.record("\(format.name) \(code): \(value), not \(number)")
      }
    }
  }

  @Test func singleNumbers() {
    #expect(Float8E4M3.bits(500) == 0x7F && Float8E4M3.bits(500, overflow: .saturating) == 0x7E)
    #expect(Float8E4M3.float(0xFE) == -448 && Float8E5M2.float(0xFC) == -.infinity)
    #expect(Float8E5M2.bits(1e9) == 0x7C && Float8E5M2.bits(1e9, overflow: .saturating) == 0x7B)
    #expect(Float4E2M1.bits(2.5) == 4 && Float4E2M1.float(0xB) == -1.5)
  }

  private static func floats(_ set: String, _ format: NumberFormat) -> [Float] {
    let floats = floats(named: set, format)
    return format == .e8m0 ? floats.filter { !$0.isSubnormal } : floats
  }

  private static func floats(named set: String, _ format: NumberFormat) -> [Float] {
    switch set {
    case "halves": return (UInt16.min...UInt16.max).map(Half.float)
    case "random":
      var random = RandomSource(seed: 20)
      return (0..<10_000).flatMap { _ in
        let word = random.next()
        return [UInt32(truncatingIfNeeded: word), UInt32(word >> 32)].map(Float.init(bitPattern:))
      }.filter { !$0.isNaN }
    default:
      let patterns = 0..<UInt32(1) << UInt32(format.bitCount)
      var known = Set(patterns.map { Double(format.decode($0)) }.filter(\.isFinite)).sorted()
      let (first, last) = (
        2 * known[0] - known[1], 2 * known[known.count - 1] - known[known.count - 2]
      )
      known = [first] + known + [last]
      return zip(known, known.dropFirst()).flatMap { low, high in
        let middle = Float((low + high) / 2)
        return [middle.nextDown, middle, middle.nextUp]
      }
    }
  }

  /// The hash of the fixture, where what NaN becomes is 0 but for E8M0.
  private static func hash(_ codes: [UInt16], _ floats: [Float], _ format: NumberFormat) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for (code, float) in zip(codes, floats) {
      let code = float.isNaN && format != .e8m0 ? 0 : code
      for byte in [code & 0xFF, code >> 8] {
        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
      }
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
