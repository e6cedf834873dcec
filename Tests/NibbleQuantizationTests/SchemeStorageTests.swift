import NibbleQuantization
import NibbleTensors
import Testing

/// Schemes of every element, granularity, scale and offset.
let storedSchemes = [
  "int8-tensor-sym", "int8-tensor-asym", "int8-row-sym", "int8-row-asym-f32", "int8-column-sym",
  "int4-column-asym", "int7-g48-asym", "int6-g100-sym-bf16", "int5-g32-min", "int4-g32-sym",
  "int4-g128-asym", "int3-g64-asym", "int3-g64-min-bf16", "int2-g32-asym", "int2-row-sym-f32",
  "nf4-g64", "nf4-g64-dq", "nf4-row-f16", "fp4-g64", "fp4-g64-dq", "e2m1-g32", "iq4nl-g32",
  "mxfp4", "nvfp4", "kmeans4-row", "kmeans2-g64", "kmeans3-tensor", "kmeans1-column",
  "kmeans8-row-f32",
]

@Suite struct SchemeStorageTests {
  static let rowCount = 9
  static let columnCount = 300

  static func quantized(_ name: String) throws -> QuantizedTensor {
    let scheme = try #require(Scheme(name: name))
    var random = RandomSource(seed: 7)
    let weights = (0..<rowCount * columnCount).map { _ in Float(random.gaussian()) * 0.02 }
    return try weights.withUnsafeBufferPointer {
      try RoundToNearest(range: scheme.usualRange)
        .quantize($0, rowCount: rowCount, columnCount: columnCount, as: scheme)
    }
  }

  @Test("unpack(pack(tensor)) is the tensor", arguments: storedSchemes)
  func roundTrip(name: String) throws {
    let tensor = try Self.quantized(name)
    let parts = try SchemeLayout().pack(tensor)
    let plan = try tensor.scheme.parts(rowCount: Self.rowCount, columnCount: Self.columnCount)
    #expect(parts.map(\.name) == plan.map(\.name))
    #expect(parts.map(\.bytes.count) == plan.map(\.byteCount))
    let back = try SchemeLayout().unpack(
      parts, rowCount: Self.rowCount, columnCount: Self.columnCount, scheme: tensor.scheme)
    #expect(back == tensor)
  }

  @Test(
    "Rows decode to the same bits from their arrays as from the tensor", arguments: storedSchemes)
  func rows(name: String) throws {
    let tensor = try Self.quantized(name)
    let views = try SchemeLayout().pack(tensor).map { Storage(copying: $0.bytes).view }
    let rows = try SchemeRows(
      scheme: tensor.scheme, rowCount: Self.rowCount, columnCount: Self.columnCount, parts: views)
    let expected = tensor.dequantized()
    #expect(expected.count == Self.rowCount * Self.columnCount)
    var decoded = [Float](repeating: 0, count: expected.count)
    decoded.withUnsafeMutableBufferPointer { values in
      guard let base = values.baseAddress else { return }
      rows.decode(0..<4, into: base)
      rows.decode(4..<9, into: base + 4 * Self.columnCount)
    }
    #expect(decoded.map(\.bitPattern) == expected.map(\.bitPattern))
  }

  @Test("Products equal those with the decoded weights, for any number of threads and rows")
  func products() throws {
    for name in ["int4-g128-asym", "nf4-g64-dq", "kmeans4-row", "int8-tensor-sym"] {
      let tensor = try Self.quantized(name)
      let views = try SchemeLayout().pack(tensor).map { Storage(copying: $0.bytes).view }
      let packed = try PackedMatrix(
        SchemeRows(
          scheme: tensor.scheme, rowCount: Self.rowCount, columnCount: Self.columnCount,
          parts: views))
      let plain = try PackedMatrix(
        element: .plain(.float32), rowCount: Self.rowCount, columnCount: Self.columnCount,
        bytes: Storage(copying: tensor.dequantized().withUnsafeBytes { [UInt8]($0) }).view)
      var random = RandomSource(seed: 3)
      for count in [1, 7] {
        let x = (0..<count * Self.columnCount).map { _ in Float(random.gaussian()) }
        var results: [[Float]] = []
        for (matrix, threads) in [(plain, 1), (packed, 1), (packed, 2)] {
          var y = [Float](repeating: 0, count: count * Self.rowCount)
          let pool = WorkerPool(threadCount: threads)
          y.withUnsafeMutableBufferPointer {
            guard let base = $0.baseAddress else { return }
            matrix.multiply(
              x, count: count, into: base, yStride: Self.rowCount, pool: pool,
              scratch: ActivationScratch())
          }
          results.append(y)
        }
        #expect(results[0] == results[1], "\(name)")
        #expect(results[1] == results[2], "\(name)")
      }
    }
  }

  @Test("Bits per weight count the overhead")
  func bitsPerWeight() throws {
    func bits(_ name: String) -> Double? { Scheme(name: name)?.bitsPerWeight }
    #expect(bits("int4-g32-sym") == 4.5)
    #expect(bits("int4-g128-asym") == 4 + 20.0 / 128)
    #expect(bits("int4-g64-min") == 4.5)
    #expect(bits("nf4-g64") == 4.5)
    #expect(bits("mxfp4") == 4.25)
    #expect(bits("q4_k") == 4.5)
    #expect(bits("q6_k") == 6.5625)
    #expect(bits("q2_k") == 2.625)
    let double = try #require(bits("nf4-g64-dq"))
    #expect(abs(double - (4 + 8.0 / 64 + 32.0 / (64 * 256))) < 1e-6)
    let learned = try #require(Scheme(name: "kmeans4-row"))
    #expect(learned.bitsPerWeight(rowCount: 10, columnCount: 256) == 5)
    // A last shorter group costs a whole scale.
    let short = try #require(Scheme(name: "int4-g64-sym"))
    #expect(short.bitCount(rowCount: 2, columnCount: 65) == 2 * (65 * 4 + 2 * 16))
  }

  @Test("Arrays of another length are refused")
  func hostileArrays() throws {
    for name in storedSchemes {
      let tensor = try Self.quantized(name)
      let parts = try SchemeLayout().pack(tensor)
      for index in parts.indices {
        var broken = parts
        broken[index] = NamedBytes(
          name: parts[index].name, bytes: Array(parts[index].bytes.dropLast()))
        #expect(throws: QuantizationError.self) {
          try SchemeLayout().unpack(
            broken, rowCount: Self.rowCount, columnCount: Self.columnCount, scheme: tensor.scheme)
        }
        #expect(throws: QuantizationError.self) {
          try SchemeRows(
            scheme: tensor.scheme, rowCount: Self.rowCount, columnCount: Self.columnCount,
            parts: broken.map { Storage(copying: $0.bytes).view })
        }
      }
      #expect(throws: QuantizationError.self) {
        try tensor.scheme.parts(rowCount: .max, columnCount: 2)
      }
    }
  }
}
