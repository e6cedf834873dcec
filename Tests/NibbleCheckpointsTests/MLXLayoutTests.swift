import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import TestSupport
import Testing

@Suite struct MLXLayoutTests {
  private static let schemes: [String] =
    [2, 3, 4, 5, 6, 8].flatMap { bits in
      [32, 64, 128].map { "int\(bits)-g\($0)-min" }
    } + ["int4-g64-min-bf16", "int3-g32-min-f32", "mxfp4"]

  @Test("unpack(pack(tensor)) is the tensor, and the bytes fit the parts", arguments: schemes)
  func roundTrip(name: String) throws {
    let scheme = try #require(Scheme(name: name))
    let tensor = try MLXSamples.randomTensor(scheme, rowCount: 5, columnCount: 256)
    let layout = MLXLayout()
    #expect(layout.canRepresent(scheme))
    #expect(layout.obstacle(to: scheme, rowCount: 5, columnCount: 256) == nil)
    let arrays = try layout.pack(tensor)
    let parts = try layout.parts(scheme, rowCount: 5, columnCount: 256)
    #expect(arrays.map(\.name) == parts.map(\.name))
    #expect(arrays.map(\.bytes.count) == parts.map(\.byteCount))
    let back = try layout.unpack(arrays, rowCount: 5, columnCount: 256, scheme: scheme)
    #expect(back == tensor)
    #expect(try layout.pack(back) == arrays)
  }

  @Test("Words of the documented example: codes 0 2 4 7 9 11 14 15, and 0 ... 7 in 3 bits")
  func words() throws {
    for (bits, codes, expected) in [
      (4, [0, 2, 4, 7, 9, 11, 14, 15], [0xfeb9_7420] as [UInt32]),
      (3, [0, 1, 2, 3, 4, 5, 6, 7], [0x88fa_c688, 0xc688_fac6, 0xfac6_88fa]),
    ] {
      let scheme = try #require(Scheme(name: "int\(bits)-g32-min-f32"))
      let tensor = try QuantizedTensor(
        rowCount: 1, columnCount: 32, scheme: scheme,
        codes: (0..<32).map { UInt8(codes[$0 % 8]) }, scales: .float32([0.25]),
        offsets: .float32([-1]))
      let weight = try #require(try MLXLayout().pack(tensor).first)
      let words = stride(from: 0, to: weight.bytes.count, by: 4).map { place in
        weight.bytes[place..<place + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      }
      #expect(Array(words.prefix(expected.count)) == expected)
    }
  }

  @Test("E2M1 codes are a sign and a magnitude")
  func microscaling() throws {
    let scheme = try #require(Scheme(name: "mxfp4"))
    // -6 ... -0, 0 ... 6, twice.
    let tensor = try QuantizedTensor(
      rowCount: 1, columnCount: 32, scheme: scheme, codes: (0..<32).map { UInt8($0 % 16) },
      scales: .e8m0([127]))
    let arrays = try MLXLayout().pack(tensor)
    #expect(arrays.map(\.name) == ["weight", "scales"])
    #expect(
      arrays[0].bytes == hexadecimal("ef cd ab 89 10 32 54 76 ef cd ab 89 10 32 54 76"))
    #expect(arrays[1].bytes == [127])
  }

  @Test(
    arguments: [
      ("int4-g64-sym", 64, "minimum"), ("int4-g64-asym", 64, "minimum"),
      ("nf4-g64", 64, "minimum"), ("int7-g64-min", 64, "7"), ("int4-g16-min", 64, "groups"),
      ("int4-row-min", 64, "groups"), ("int4-g64-min", 96, "multiple of 64"),
      ("int4-g64-min-act", 64, "orders"), ("nvfp4", 64, "minimum"), ("mxfp4", 48, "multiple of 32"),
    ])
  func obstacles(name: String, columnCount: Int, words: String) throws {
    let scheme = try #require(Scheme(name: name))
    let layout = MLXLayout()
    let obstacle = layout.obstacle(to: scheme, rowCount: 2, columnCount: columnCount) ?? "none"
    #expect(obstacle.contains(words), "\(obstacle)")
    let error = #expect(throws: QuantizationError.self) {
      try layout.parts(scheme, rowCount: 2, columnCount: columnCount)
    }
    #expect(error?.code == .unsupported)
  }

  @Test("Minima in another format than the scales, and arrays that do not fit, are refused")
  func refusals() throws {
    let mixed = Scheme(
      element: .uint(bits: 4), granularity: .group(32), scale: .float16, offset: .minimum(.float32))
    #expect(!MLXLayout().canRepresent(mixed))
    let scheme = try #require(Scheme(name: "int4-g32-min"))
    #expect(MLXLayout().obstacle(to: scheme, rowCount: 1 << 50, columnCount: 1 << 50) != nil)
    #expect(MLXLayout().obstacle(to: scheme, rowCount: -1, columnCount: 32) != nil)
    let arrays = try MLXLayout().pack(MLXSamples.randomTensor(scheme, rowCount: 2, columnCount: 64))
    for wrong in [Array(arrays.dropLast()), [arrays[0], arrays[1], NamedBytes(bytes: [0])], []] {
      #expect(throws: QuantizationError.self) {
        try MLXLayout().unpack(wrong, rowCount: 2, columnCount: 64, scheme: scheme)
      }
    }
  }
}
