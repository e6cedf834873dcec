import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct AWQLayoutTests {
  private static func scheme(
    isSymmetric: Bool = false, _ granularity: Granularity = .group(32),
    scale: ScaleFormat = .float16
  ) -> Scheme {
    Scheme(
      element: isSymmetric ? .int(bits: 4) : .uint(bits: 4), granularity: granularity,
      scale: scale, offset: isSymmetric ? .none : .zeroPoint(bits: 4))
  }

  @Test("A word of gemm holds outputs 0, 2, 4, 6, 1, 3, 5, 7")
  func words() throws {
    let outputs: [UInt8] = [1, 4, 7, 10, 13, 0, 3, 6]
    let tensor = try QuantizedTensor(
      rowCount: 8, columnCount: 1, scheme: Self.scheme(isSymmetric: true, .row), codes: outputs,
      scales: .float16((0..<8).map { 0x3C00 + $0 }))
    let parts = try AWQLayout().pack(tensor)
    #expect(parts.map(\.name) == ["qweight", "qzeros", "scales"])
    #expect(parts[0].bytes == littleEndian(UInt32(0x60A4_3D71)))
    #expect(parts[1].bytes == littleEndian(UInt32(0x8888_8888)))
    #expect(Array(parts[2].bytes.prefix(4)) == [0, 0x3C, 1, 0x3C])
  }

  @Test(arguments: [AWQLayout.Arrangement.gemm, .gemv])
  func roundTrip(_ arrangement: AWQLayout.Arrangement) throws {
    let layout = AWQLayout(arrangement: arrangement)
    for isSymmetric in [true, false] {
      for scale in [ScaleFormat.float16, .bfloat16] {
        for granularity in [Granularity.row, .group(32), .group(64), .group(192)] {
          let scheme = Self.scheme(isSymmetric: isSymmetric, granularity, scale: scale)
          #expect(layout.canRepresent(scheme))
          let tensor = try randomTensor(
            scheme, rowCount: 72, columnCount: 192, seed: 3, lowestZeroPoint: 0)
          let parts = try layout.pack(tensor)
          let shapes = try layout.parts(scheme, rowCount: 72, columnCount: 192)
          #expect(parts.map(\.bytes.count) == shapes.map(\.byteCount), "\(scheme)")
          let back = try layout.unpack(parts, rowCount: 72, columnCount: 192, scheme: scheme)
          #expect(back == tensor, "\(scheme)")
        }
      }
    }
  }

  @Test("gemv has room for 8, 16 or 32 groups at a time")
  func room() throws {
    for (length, expected) in [(32, 32), (64, 16), (128, 8), (256, 8)] {
      let parts = try AWQLayout(arrangement: .gemv).parts(
        Self.scheme(.group(length)), rowCount: 8, columnCount: 512)
      let groupCount = 512 / length
      #expect(parts[2].shape == [8, (groupCount + expected - 1) / expected * expected])
      #expect(parts[1].shape[1] * 8 == parts[2].shape[1])
    }
  }

  @Test(arguments: [
    ("nf4-g32", "table of levels"), ("int8-g32-asym", "fields of 4 bits"),
    ("int4-g32-min", "is neither"), ("int4-tensor-sym", "each row"),
    ("int4-g32-sym-f32", "floating-point scale"), ("int4-g32-sym-act", "no order of columns"),
    ("int4-g48-sym", "groups of 48"),
  ])
  func obstacles(_ name: String, _ reason: String) throws {
    let scheme = try #require(Scheme(name: name))
    let obstacle = AWQLayout().obstacle(to: scheme, rowCount: 32, columnCount: 256) ?? ""
    #expect(obstacle.contains(reason), "\(obstacle)")
    #expect(throws: QuantizationError.self) {
      try AWQLayout().parts(scheme, rowCount: 32, columnCount: 256)
    }
  }

  @Test func shapes() {
    let gemm = AWQLayout().obstacle(to: Self.scheme(), rowCount: 12, columnCount: 64)
    #expect(gemm?.contains("12 rows") == true)
    let gemv = AWQLayout(arrangement: .gemv).obstacle(
      to: Self.scheme(.group(16)), rowCount: 8, columnCount: 64)
    #expect(gemv?.contains("not of 16") == true)
  }

  @Test func symmetricFieldsAreChecked() throws {
    let scheme = Self.scheme(isSymmetric: true)
    var parts = try AWQLayout().pack(try randomTensor(scheme))
    parts[1] = NamedBytes(
      name: "qzeros", bytes: [0x78] + [UInt8](repeating: 0x88, count: parts[1].bytes.count - 1))
    expectFault("zero point 7") {
      _ = try AWQLayout().unpack(parts, rowCount: 32, columnCount: 64, scheme: scheme)
    }
    expectFault("do not fit") {
      _ = try AWQLayout().unpack(
        Array(parts.dropLast()), rowCount: 32, columnCount: 64, scheme: scheme)
    }
  }
}
