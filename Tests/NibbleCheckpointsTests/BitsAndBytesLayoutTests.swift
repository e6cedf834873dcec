import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct BitsAndBytesLayoutTests {
  private static let fourBit = BitsAndBytesFourBitLayout(originalType: .bfloat16)
  private static let eightBit = BitsAndBytesEightBitLayout()

  @Test(
    arguments: ["nf4", "fp4"].flatMap { book in
      ["g32", "g64", "g64-dq", "g128-dq", "g4096"].map { "\(book)-\($0)" }
    })
  func fourBitRoundTrip(name: String) throws {
    let scheme = try #require(Scheme(name: name))
    let tensor = try randomTensor(scheme, rowCount: 5, columnCount: 8192)
    let parts = try Self.fourBit.pack(tensor)
    let other = try Self.fourBit.unpack(parts, rowCount: 5, columnCount: 8192, scheme: scheme)
    #expect(other == tensor)
    #expect(Self.fourBit.canRepresent(scheme))
    #expect(
      Self.fourBit.obstacle(to: scheme, rowCount: 5, columnCount: 8192) == nil)
  }

  @Test(
    "The JSON of nested scales has one length, whatever their mean",
    arguments: [
      0, -0.0, 1, 0.1, 1.0e-10, -Float.leastNonzeroMagnitude, 3.4028235e38, -0.00010013580322265625,
      1.2345678e-38,
    ] as [Float])
  func lengthOfState(mean: Float) throws {
    let scheme = try #require(Scheme(name: "nf4-g64-dq"))
    let tensor = try QuantizedTensor(
      rowCount: 1, columnCount: 64, scheme: scheme, codes: [UInt8](repeating: 3, count: 64),
      scales: .doubleQuantized(codes: [7], largest: [2], mean: mean))
    let parts = try Self.fourBit.pack(tensor)
    let planned = try Self.fourBit.parts(scheme, rowCount: 1, columnCount: 64)
    #expect(parts.map(\.bytes.count) == planned.map(\.byteCount))
    let other = try Self.fourBit.unpack(parts, rowCount: 1, columnCount: 64, scheme: scheme)
    #expect(other == tensor)
  }

  @Test func infiniteMeanIsRefused() throws {
    let scheme = try #require(Scheme(name: "nf4-g64-dq"))
    let tensor = try QuantizedTensor(
      rowCount: 1, columnCount: 64, scheme: scheme, codes: [UInt8](repeating: 3, count: 64),
      scales: .doubleQuantized(codes: [7], largest: [2], mean: .infinity))
    #expect(throws: QuantizationError.self) { try Self.fourBit.pack(tensor) }
  }

  @Test("High bits first; the block of the format's description")
  func exampleBytes() throws {
    let values: [Float] = [0.5, -1, 0.25, 0, 0.1, 0.9, -0.3, 1]
    for (name, bytes) in [("nf4-g64", "c0a78f4f"), ("fp4-g64", "5b7063c3")] {
      let scheme = try #require(Scheme(name: name))
      let levels = scheme.element.levels
      var codes = values.map { value in
        UInt8(levels.indices.min { abs(levels[$0] - value) < abs(levels[$1] - value) } ?? 0)
      }
      // The first level of a zero is the one with a sign; the description's has none.
      if name.hasPrefix("fp4") { codes[3] = 8 }
      codes += [UInt8](repeating: name.hasPrefix("fp4") ? 8 : 7, count: 56)
      let tensor = try QuantizedTensor(
        rowCount: 1, columnCount: 64, scheme: scheme, codes: codes, scales: .float32([1]))
      let packed = try #require(try Self.fourBit.pack(tensor).first)
      #expect(Array(packed.bytes.prefix(4)) == hexadecimal(bytes), "\(name)")
    }
  }

  @Test func eightBitRoundTrip() throws {
    let scheme = BitsAndBytesEightBitLayout.scheme
    let tensor = try randomTensor(scheme, rowCount: 300, columnCount: 17)
    let parts = try Self.eightBit.pack(tensor)
    let other = try Self.eightBit.unpack(parts, rowCount: 300, columnCount: 17, scheme: scheme)
    #expect(other == tensor)
  }

  @Test("Scales that are no 127th of a float are refused, all others come back")
  func scalesOfEightBits() throws {
    let scheme = BitsAndBytesEightBitLayout.scheme
    func stored(_ scale: Float) throws -> Float? {
      let tensor = try QuantizedTensor(
        rowCount: 1, columnCount: 1, scheme: scheme, codes: [200], scales: .float32([scale]))
      guard let parts = try? Self.eightBit.pack(tensor) else { return nil }
      let other = try Self.eightBit.unpack(parts, rowCount: 1, columnCount: 1, scheme: scheme)
      #expect(other == tensor)
      return parts[1].bytes.withUnsafeBytes { $0.loadUnaligned(as: Float.self) }
    }
    var refusedCount = 0
    var random = RandomSource(seed: 1)
    for _ in 0..<2000 {
      if try stored(Float(random.uniform())) == nil { refusedCount += 1 }
    }
    // 1/127 - 1/128 of the floats have no number that is divided to them.
    #expect((1...60).contains(refusedCount))
    for scale: Float in [0, 1 / 127, -0.5 / 127, Float(bitPattern: 214_087), .infinity] {
      let number = try #require(try stored(scale))
      #expect(number / 127 == scale)
    }
    #expect(try stored(.greatestFiniteMagnitude) == nil)
  }

  @Test(arguments: [
    LayoutObstacle(fourBit, "int4-g64-sym", 4, 64, "nf4 and fp4"),
    LayoutObstacle(fourBit, "nf4-g48", 4, 96, "power of two"),
    LayoutObstacle(fourBit, "nf4-row", 4, 64, "power of two"),
    LayoutObstacle(fourBit, "nf4-g64-f16", 4, 64, "float32"),
    LayoutObstacle(fourBit, "nf4-g64-act", 4, 64, "order"),
    LayoutObstacle(fourBit, "nf4-g64", 4, 96, "no multiple of 64"),
    LayoutObstacle(fourBit, "nf4-g64", 0, 64, "no elements"),
    LayoutObstacle(fourBit, "nf4-g64", 1 << 62, 64, "too many"),
    LayoutObstacle(eightBit, "int8-row-sym", 4, 64, "int8-row-sym-f32"),
    LayoutObstacle(eightBit, "int8-row-sym-f32", 4, 0, "no elements"),
    LayoutObstacle(eightBit, "int8-row-sym-f32", 1 << 62, 64, "too many"),
  ])
  func obstacles(_ obstacle: LayoutObstacle) throws { try obstacle.check() }
}
