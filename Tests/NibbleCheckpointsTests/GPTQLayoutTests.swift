import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct GPTQLayoutTests {
  private static let bits = [2, 3, 4, 8]

  private static func scheme(
    _ bits: Int, isSymmetric: Bool = true, _ granularity: Granularity = .group(32),
    scale: ScaleFormat = .float16, hasColumnOrder: Bool = false
  ) -> Scheme {
    Scheme(
      element: isSymmetric ? .int(bits: bits) : .uint(bits: bits), granularity: granularity,
      scale: scale, offset: isSymmetric ? .none : .zeroPoint(bits: bits),
      hasColumnOrder: hasColumnOrder)
  }

  @Test(
    "Words hold neighbouring inputs, the first in the lowest bits",
    arguments: [
      (2, [0x9393_9393, 0x9393_9393] as [UInt32], 0x5555_5555 as UInt32),
      (3, [0x43C6_7543, 0x7543_C675, 0xC675_43C6], 0xDB6D_B6DB),
      (4, [0x61C7_2D83, 0xE94F_A50B], 0x7777_7777), (8, [0x120D_0803], 0x7F7F_7F7F),
    ])
  func words(_ bits: Int, _ expected: [UInt32], _ zeros: UInt32) throws {
    let row = (0..<32).map { UInt8((5 * $0 + 3) % (1 << bits)) }
    let tensor = try QuantizedTensor(
      rowCount: 32, columnCount: 32, scheme: Self.scheme(bits, .row),
      codes: (0..<32).flatMap { _ in row },
      scales: .float16([UInt16](repeating: 0x3C00, count: 32)))
    let parts = try GPTQLayout().pack(tensor)
    #expect(parts.map(\.name) == ["qweight", "qzeros", "scales", "g_idx"])
    for (index, word) in expected.enumerated() {
      for output in 0..<32 {
        let place = 4 * (32 * index + output)
        #expect(Array(parts[0].bytes[place..<place + 4]) == littleEndian(word))
      }
    }
    #expect(parts[0].bytes.count == 4 * 32 * bits)
    #expect(Array(parts[1].bytes.prefix(4)) == littleEndian(zeros))
    #expect(parts[1].bytes.count == 4 * bits)
  }

  @Test(arguments: bits, [GPTQLayout.Version.v1, .v2])
  func roundTrip(_ bits: Int, _ version: GPTQLayout.Version) throws {
    let layout = GPTQLayout(version: version)
    for isSymmetric in [true, false] {
      for scale in [ScaleFormat.float16, .bfloat16, .float32] {
        for (granularity, hasColumnOrder) in [
          (Granularity.row, false), (.group(16), false), (.group(32), true), (.group(96), true),
        ] {
          let scheme = Self.scheme(
            bits, isSymmetric: isSymmetric, granularity, scale: scale,
            hasColumnOrder: hasColumnOrder)
          #expect(layout.canRepresent(scheme))
          let tensor = try randomTensor(
            scheme, rowCount: 64, columnCount: 96, seed: UInt64(bits),
            lowestZeroPoint: version == .v1 ? 1 : 0)
          let parts = try layout.pack(tensor)
          let shapes = try layout.parts(scheme, rowCount: 64, columnCount: 96)
          #expect(parts.map(\.bytes.count) == shapes.map(\.byteCount), "\(scheme)")
          let back = try layout.unpack(parts, rowCount: 64, columnCount: 96, scheme: scheme)
          #expect(back == tensor, "\(scheme)")
        }
      }
    }
  }

  @Test func groupIndicesMayBeMissing() throws {
    let tensor = try randomTensor(Self.scheme(4, isSymmetric: false))
    let parts = try GPTQLayout().pack(tensor)
    let back = try GPTQLayout().unpack(
      Array(parts.dropLast()), rowCount: 32, columnCount: 64, scheme: tensor.scheme)
    #expect(back == tensor)
    let ordered = try randomTensor(Self.scheme(4, hasColumnOrder: true))
    let arrays = Array(try GPTQLayout().pack(ordered).dropLast())
    expectFault("do not fit") {
      _ = try GPTQLayout().unpack(arrays, rowCount: 32, columnCount: 64, scheme: ordered.scheme)
    }
  }

  @Test func versionOneHasNoZeroPointOfZero() throws {
    let tensor = try randomTensor(
      Self.scheme(2, isSymmetric: false, .group(16)), lowestZeroPoint: 0)
    #expect(tensor.zeroPoints?.contains(0) == true)
    expectFault("write gptq_v2") { _ = try GPTQLayout(version: .v1).pack(tensor) }
    // Version 2 reads as version 1 with all zero points one higher; the highest becomes 0.
    let parts = try GPTQLayout(version: .v2).pack(tensor)
    let back = try GPTQLayout(version: .v1).unpack(
      parts, rowCount: 32, columnCount: 64, scheme: tensor.scheme)
    #expect(back.zeroPoints == tensor.zeroPoints?.map { ($0 + 1) % 4 })
  }

  @Test(arguments: [
    ("nf4-g32", "table of levels"), ("kmeans4-row", "table of levels"), ("int5-g32-sym", "needs 5"),
    ("int6-g32-asym", "needs 6"), ("int4-g32-min", "is neither"), ("int4-tensor-sym", "each row"),
    ("int4-column-asym", "each row"), ("int4-g48-sym", "groups of 48"), ("q4_k", "is neither"),
    ("q3_k", "floating-point scale"),
  ])
  func obstacles(_ name: String, _ reason: String) throws {
    let scheme = try #require(Scheme(name: name))
    let obstacle = GPTQLayout().obstacle(to: scheme, rowCount: 32, columnCount: 256) ?? ""
    #expect(obstacle.contains(reason), "\(obstacle)")
    #expect(throws: QuantizationError.self) {
      try GPTQLayout().parts(scheme, rowCount: 32, columnCount: 256)
    }
  }

  @Test(arguments: [
    (33, 64, "33 rows"), (32, 48, "multiple of 32"), (0, 64, "no weights"), (32, 0, "no weights"),
    (32, -32, "no weights"), (1 << 40, 1 << 40, "too many"), (32, 96, "groups of 64"),
  ])
  func shapes(_ rowCount: Int, _ columnCount: Int, _ reason: String) {
    let obstacle = GPTQLayout().obstacle(
      to: Self.scheme(4, .group(64)), rowCount: rowCount, columnCount: columnCount)
    #expect(obstacle?.contains(reason) == true, "\(obstacle ?? "none")")
  }

  @Test func brokenArrays() throws {
    let scheme = Self.scheme(4)
    let parts = try GPTQLayout().pack(try randomTensor(scheme))
    func expectFault(_ reason: String, _ part: Int, _ change: (inout [UInt8]) -> Void) {
      var changed = parts
      var bytes = parts[part].bytes
      change(&bytes)
      changed[part] = NamedBytes(name: parts[part].name, bytes: bytes)
      NibbleCheckpointsTests.expectFault(reason) {
        _ = try GPTQLayout().unpack(changed, rowCount: 32, columnCount: 64, scheme: scheme)
      }
    }
    expectFault("do not fit", 0) { $0.removeLast() }
    expectFault("do not fit", 3) { $0 += [0] }
    expectFault("zero point 9", 1) { $0[5] = 0x78 }
    expectFault("into group -1", 3) { $0.replaceSubrange(0..<4, with: [255, 255, 255, 255]) }
    expectFault("into group 2", 3) { $0[4] = 2 }
    expectFault("more than 32", 3) { $0[0] = 1 }
    expectFault("orders the columns", 3) {
      $0[0] = 1
      $0[4 * 63] = 0
    }
  }
}
