import NibbleQuantization
import Testing

@Suite struct BlockDecodeTests {
  struct Entry: Decodable {
    let type: String
    let seed: UInt64
    let blocks: Int
    let halves: [Int]
    let bytes: String
    let values: String
  }

  /// Random blocks decode bit for bit as the gguf Python package decodes them.
  @Test func matchesReference() throws {
    for entry in try fixture("decode.json", as: [Entry].self) {
      let type = try #require(GGMLType(name: entry.type))
      let size = type.block.byteCount
      var bytes = TestWeights.bytes(count: entry.blocks * size, seed: entry.seed)
      for block in 0..<entry.blocks {
        for half in entry.halves { bytes[block * size + half + 1] &= 0xBF }
      }
      #expect(fingerprint(bytes) == entry.bytes, "\(entry.type)")
      let values = decode(type, bytes)
      let decoded = values.withUnsafeBytes { fingerprint($0) }
      #expect(decoded == entry.values, "\(entry.type)")
    }
  }

  /// Blocks that llama.cpp's C library wrote, and the values it reads from them (first four).
  @Test(
    arguments: [
      (
        "q4_0", "4026f258be1379df359bf147ac0268ce248a",
        [-0.146484375, 0, 0.146484375, -0.1220703125]
      ),
      (
        "q4_1", "892640b2f257bd1379cf358ae146ac0268bd2479",
        [-0.144256591796875, -0.0166168212890625, 0.1365509033203125, -0.1187286376953125]
      ),
      (
        "q5_0", "4022b4b4a525f4bf7b27e3ae5a16d19d4904c08c38f4",
        [-0.146484375, -0.01220703125, 0.13427734375, -0.10986328125]
      ),
      (
        "q5_1", "532240b2b4b4a525f3bf6b27e2ae5a16d19d4904c07c38f3",
        [-0.15825653076171875, -0.01003265380859375, 0.13819122314453125, -0.10884857177734375]
      ),
      (
        "iq4_nl", "9816f157ce137adf249be146bd0258ce137a",
        [-0.16741943359375, -0.0160980224609375, 0.14327239990234375, -0.10463714599609375]
      ),
    ] as [(String, String, [Float])])
  func readsForeignBlocks(name: String, hex: String, expected: [Float]) throws {
    let type = try #require(GGMLType(name: name))
    let digits = Array(hex)
    let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
      UInt8(String(digits[$0...($0 + 1)]), radix: 16)
    }
    #expect(Array(decode(type, bytes).prefix(4)) == expected)
  }

  @Test func knowsItsTypes() {
    let known = GGMLType.allCases.filter(BlockCodec.canDecode)
    #expect(
      known.map(\.name) == [
        "F32", "F16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K",
        "Q6_K",
        "IQ4_NL", "IQ4_XS", "BF16", "MXFP4",
      ])
    #expect(known.allSatisfy(BlockCodec.canEncode))
  }
}
