import NibbleQuantization
import NibbleTensors
import Testing

/// Products of schemes through integer kernels.
@Suite struct ArrangedMatrixTests {
  private static let pool = WorkerPool(threadCount: 2)

  /// The rows of a tensor as its file's arrays give them.
  private static func rows(_ tensor: QuantizedTensor) throws -> SchemeRows {
    let views = try SchemeLayout().pack(tensor).map { Storage(copying: $0.bytes).view }
    return try SchemeRows(
      scheme: tensor.scheme, rowCount: tensor.rowCount, columnCount: tensor.columnCount,
      parts: views)
  }

  private static func quantized(
    _ name: String, rowCount: Int, columnCount: Int
  ) throws -> QuantizedTensor {
    let scheme = try #require(Scheme(name: name))
    var random = RandomSource(seed: 11)
    let weights = (0..<rowCount * columnCount).map { _ in Float(random.gaussian()) * 0.02 }
    return try weights.withUnsafeBufferPointer {
      try RoundToNearest(range: scheme.usualRange)
        .quantize($0, rowCount: rowCount, columnCount: columnCount, as: scheme)
    }
  }

  private static func product(
    _ matrix: PackedMatrix, _ x: [Float], count: Int, pool: WorkerPool = pool
  ) -> [Float] {
    var y = [Float](repeating: .nan, count: count * matrix.rowCount)
    matrix.multiply(
      x, count: count, into: &y, yStride: matrix.rowCount, pool: pool,
      scratch: ActivationScratch())
    return y
  }

  static let schemes = [
    "int4-g32-sym", "int4-g128-asym", "int4-g64-min", "int4-row-sym", "int4-tensor-asym",
    "int3-g64-min-bf16", "int2-g32-asym", "int5-g32-min", "int6-g64-sym-bf16", "int7-row-asym",
    "int8-row-sym", "int8-g64-asym", "int8-tensor-sym", "nf4-g64", "nf4-g64-dq", "nf4-row-f16",
    "fp4-g64", "e2m1-g32", "iq4nl-g32", "mxfp4",
  ]

  /// 320 columns end in a shorter group of 128, 37 rows in a shorter strip.
  @Test("Products are those of the values with activations rounded to 8 bits", arguments: schemes)
  func agreesWithFloat64(name: String) throws {
    let (rowCount, columnCount) = (37, 320)
    let tensor = try Self.quantized(name, rowCount: rowCount, columnCount: columnCount)
    let matrix = try PackedMatrix(arranging: Self.rows(tensor), pool: Self.pool)
    #expect(matrix.arrangedByteCount > 0)
    let weights = tensor.dequantized()
    for row in 0..<rowCount {
      let expected = weights[row * columnCount..<(row + 1) * columnCount]
      #expect(WeightSample.row(matrix, row).map(\.bitPattern) == expected.map(\.bitPattern))
    }
    // NF4's levels are rounded to 12 bits.
    let levelError: Double = name.hasPrefix("nf4") ? 2.2e-4 : 0
    for n in [1, 5, 33] {
      let x = WeightSample.activations(count: n * columnCount, seed: UInt64(n))
      let y = Self.product(matrix, x, count: n)
      let rounded = WeightSample.quantized(x)
      for r in 0..<rowCount {
        let row = weights[r * columnCount..<(r + 1) * columnCount]
        let largest = Double(row.reduce(0) { max($0, abs($1)) })
        for i in 0..<n {
          var sum = 0.0
          var magnitude = 0.0
          var inputs = 0.0
          for (c, weight) in row.enumerated() {
            let input = Double(rounded[i * columnCount + c])
            sum += Double(weight) * input
            magnitude += abs(Double(weight) * input)
            inputs += abs(input)
          }
          // Sums of codes times scales and of minima may be larger than the sum of the values.
          let bound =
            4e-6 * (magnitude + 4 * largest * inputs) + levelError * largest * inputs + 1e-30
          #expect(abs(sum - Double(y[i * rowCount + r])) <= bound, "row \(r), n = \(n)")
        }
      }
    }
  }

  /// GGUF's types as schemes hold the same codes and scales, and so the same integer sums.
  @Test(
    "Blocks in a scheme's arrays give the bits of their own kernels",
    arguments: [
      GGMLType.q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q4_k, .q5_k, .iq4_nl, .iq4_xs,
    ])
  func blocks(type: GGMLType) throws {
    let (rowCount, columnCount, n) = (21, 512, 7)
    let scheme = try #require(type.scheme)
    let bytes = WeightSample.bytes(
      .blocks(type), weightCount: rowCount * columnCount, seed: 5)
    let tensor = try GGMLBlocks().unpack(
      [NamedBytes(bytes: bytes.copy())], rowCount: rowCount, columnCount: columnCount,
      scheme: scheme)
    let arranged = try PackedMatrix(arranging: Self.rows(tensor), pool: Self.pool)
    #expect(arranged.arrangedByteCount > 0)
    let packed = try PackedMatrix(
      element: .blocks(type), rowCount: rowCount, columnCount: columnCount, bytes: bytes)
    let x = WeightSample.activations(count: n * columnCount, seed: 2)
    #expect(Self.product(arranged, x, count: n) == Self.product(packed, x, count: n))
  }

  @Test("The same bits for any split and count", arguments: ["int4-g64-asym", "int8-row-sym"])
  func splits(name: String) throws {
    let (rowCount, columnCount, n) = (100, 768, 33)
    let rows = try Self.rows(Self.quantized(name, rowCount: rowCount, columnCount: columnCount))
    let x = WeightSample.activations(count: n * columnCount, seed: 7)
    let one = WorkerPool(threadCount: 1)
    let expected = Self.product(
      try PackedMatrix(arranging: rows, pool: one), x, count: n, pool: one)
    for threadCount in [2, 3, 5] {
      let pool = WorkerPool(threadCount: threadCount)
      let matrix = try PackedMatrix(arranging: rows, pool: pool)
      #expect(Self.product(matrix, x, count: n, pool: pool) == expected)
      for i in 0..<n {
        let single = Self.product(
          matrix, Array(x[i * columnCount..<(i + 1) * columnCount]), count: 1, pool: pool)
        #expect(single == Array(expected[i * rowCount..<(i + 1) * rowCount]))
      }
    }
  }

  /// A tensor whose group `g` holds the columns `g`, `g + groups`, `g + 2 groups` ...
  private static func ordered(
    _ name: String, rowCount: Int, columnCount: Int, length: Int
  ) throws -> QuantizedTensor {
    let plain = try quantized(name, rowCount: rowCount, columnCount: columnCount)
    let groupCount = columnCount / length
    var scheme = plain.scheme
    scheme.hasColumnOrder = true
    return try QuantizedTensor(
      rowCount: rowCount, columnCount: columnCount, scheme: scheme, codes: plain.codes,
      scales: plain.scales, offsets: plain.offsets, zeroPoints: plain.zeroPoints,
      columnOrder: (0..<columnCount).map { place in
        Int32(place % length * groupCount + place / length)
      })
  }

  @Test("Ordered columns meet their own activations, beside matrices in other orders")
  func columnOrder() throws {
    let (rowCount, columnCount, n) = (20, 256, 3)
    let ordered = try Self.ordered(
      "int4-g64-asym", rowCount: rowCount, columnCount: columnCount, length: 64)
    let other = try Self.ordered(
      "nf4-g32", rowCount: rowCount, columnCount: columnCount, length: 32)
    let plain = try Self.quantized("int8-row-sym", rowCount: rowCount, columnCount: columnCount)
    let x = WeightSample.activations(count: n * columnCount, seed: 4)

    let matrix = try PackedMatrix(arranging: Self.rows(ordered), pool: Self.pool)
    #expect(matrix.arrangedByteCount > 0)
    let values = ordered.dequantized()
    for row in 0..<rowCount {
      let expected = Array(values[row * columnCount..<(row + 1) * columnCount])
      #expect(WeightSample.row(matrix, row) == expected)
    }
    // Blocks of 32 activations are rounded together as the order puts them.
    let order = try #require(ordered.columnOrder).map { Int($0) }
    let moved = (0..<n).flatMap { i in order.map { x[i * columnCount + $0] } }
    let natural = try PackedMatrix(
      arranging: Self.rows(
        Self.quantized("int4-g64-asym", rowCount: rowCount, columnCount: columnCount)),
      pool: Self.pool)
    let expected = Self.product(natural, moved, count: n)
    #expect(Self.product(matrix, x, count: n) == expected)

    let matrices = try [ordered, ordered, other, plain, ordered].map {
      try PackedMatrix(arranging: Self.rows($0), pool: Self.pool)
    }
    let outputs = matrices.map { _ in
      UnsafeMutablePointer<Float>.allocate(capacity: n * rowCount)
    }
    defer { outputs.forEach { $0.deallocate() } }
    multiply(
      matrices, x, count: n, into: outputs, yStrides: matrices.map(\.rowCount), pool: Self.pool,
      scratch: ActivationScratch())
    for (matrix, output) in zip(matrices, outputs) {
      let together = Array(UnsafeBufferPointer(start: output, count: n * rowCount))
      #expect(together == Self.product(matrix, x, count: n))
    }
  }

  @Test(
    "What has no integer kernels stays in its arrays and in float",
    arguments: [
      ("int4-g32-sym", 300), ("int4-g48-sym", 96), ("int4-column-sym", 64), ("nvfp4", 64),
      ("kmeans4-row", 64), ("e4m3-row", 64),
    ])
  func fallsBack(name: String, columnCount: Int) throws {
    let tensor = try Self.quantized(name, rowCount: 5, columnCount: columnCount)
    let matrix = try PackedMatrix(arranging: Self.rows(tensor), pool: Self.pool)
    #expect(matrix.arrangedByteCount == 0)
    let x = WeightSample.activations(count: columnCount, seed: 1)
    let plain = try PackedMatrix(Self.rows(tensor))
    #expect(Self.product(matrix, x, count: 1) == Self.product(plain, x, count: 1))
  }

  @Test("An arranged matrix takes the bits of its codes and 32 or 64 for a group")
  func memory() throws {
    for (name, bits) in [
      ("int4-g64-sym", 4.5), ("int3-g64-asym", 5), ("nf4-g64-dq", 4.5), ("int6-g64-min", 9),
    ] {
      let tensor = try Self.quantized(name, rowCount: 32, columnCount: 128)
      let matrix = try PackedMatrix(arranging: Self.rows(tensor), pool: Self.pool)
      #expect(Double(8 * matrix.arrangedByteCount) == bits * 32 * 128, "\(name)")
    }
  }

  @Test("A number that is none is not hidden")
  func notANumber() throws {
    let tensor = try Self.quantized("int4-g32-sym", rowCount: 20, columnCount: 64)
    let matrix = try PackedMatrix(arranging: Self.rows(tensor), pool: Self.pool)
    for bad in [Float.nan, .infinity, -.infinity] {
      var x = [Float](repeating: 1, count: 64 * 9)
      x[40] = bad
      let y = Self.product(matrix, x, count: 9)
      #expect(y[0..<20].allSatisfy { !$0.isFinite })
      #expect(y[20...].allSatisfy { $0.isFinite })
    }
  }
}
