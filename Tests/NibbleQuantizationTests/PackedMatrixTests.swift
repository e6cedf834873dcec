import NibbleQuantization
import NibbleTensors
import Testing

/// Products of packed weights against float64 products of what the formats define.
@Suite struct PackedMatrixTests {
  @Test(arguments: WeightSample.elements)
  func agreesWithFloat64(_ element: PackedMatrix.Element) throws {
    let (rowCount, columnCount) = (37, 512)
    let matrix = try WeightSample.matrix(element, rowCount: rowCount, columnCount: columnCount)
    let pool = WorkerPool(threadCount: 2)
    let scratch = ActivationScratch()
    for n in [1, 5, 33] {
      let x = WeightSample.activations(count: n * columnCount, seed: UInt64(n))
      var y = [Float](repeating: .nan, count: n * (rowCount + 3))
      matrix.multiply(x, count: n, into: &y, yStride: rowCount + 3, pool: pool, scratch: scratch)
      let rounded = element.isPlain ? x : WeightSample.quantized(x)
      for r in 0..<rowCount {
        let weights = WeightSample.row(matrix, r)
        for i in 0..<n {
          var sum = 0.0
          var magnitude = 0.0
          for c in 0..<columnCount {
            let product = Double(weights[c]) * Double(rounded[i * columnCount + c])
            sum += product
            magnitude += abs(product)
          }
          let difference = abs(sum - Double(y[i * (rowCount + 3) + r]))
          #expect(difference <= 4e-6 * magnitude + 1e-30, "row \(r) of \(element), n = \(n)")
        }
      }
      #expect(y[rowCount].isNaN, "the gap between result rows was written")
    }
  }

  @Test(arguments: WeightSample.elements)
  func theSameBitsForAnySplitAndCount(_ element: PackedMatrix.Element) throws {
    let (rowCount, columnCount, n) = (100, 768, 33)
    let matrix = try WeightSample.matrix(element, rowCount: rowCount, columnCount: columnCount)
    let x = WeightSample.activations(count: n * columnCount, seed: 7)
    let scratch = ActivationScratch()
    var expected = [Float](repeating: 0, count: n * rowCount)
    matrix.multiply(
      x, count: n, into: &expected, yStride: rowCount, pool: WorkerPool(threadCount: 1),
      scratch: scratch)
    for threadCount in [2, 3, 5] {
      let pool = WorkerPool(threadCount: threadCount)
      var y = [Float](repeating: 0, count: n * rowCount)
      matrix.multiply(x, count: n, into: &y, yStride: rowCount, pool: pool, scratch: scratch)
      #expect(y == expected)
      var single = [Float](repeating: 0, count: n * rowCount)
      for i in 0..<n {
        x.withUnsafeBufferPointer { x in
          single.withUnsafeMutableBufferPointer { y in
            guard let x = x.baseAddress, let y = y.baseAddress else { return }
            matrix.multiply(
              x + i * columnCount, count: 1, into: y + i * rowCount, yStride: rowCount, pool: pool,
              scratch: scratch)
          }
        }
      }
      #expect(single == expected)
    }
  }

  @Test func severalMatricesShareTheirActivations() throws {
    let columnCount = 256
    let matrices = try [
      WeightSample.matrix(.blocks(.q4_k), rowCount: 40, columnCount: columnCount),
      WeightSample.matrix(.plain(.bfloat16), rowCount: 1, columnCount: columnCount),
      WeightSample.matrix(.blocks(.q8_0), rowCount: 17, columnCount: columnCount),
    ]
    let n = 3
    let x = WeightSample.activations(count: n * columnCount, seed: 3)
    let pool = WorkerPool(threadCount: 3)
    let scratch = ActivationScratch()
    let outputs = matrices.map { UnsafeMutablePointer<Float>.allocate(capacity: n * $0.rowCount) }
    defer { outputs.forEach { $0.deallocate() } }
    multiply(
      matrices, x, count: n, into: outputs, yStrides: matrices.map(\.rowCount), pool: pool,
      scratch: scratch)
    for (matrix, output) in zip(matrices, outputs) {
      var alone = [Float](repeating: 0, count: n * matrix.rowCount)
      matrix.multiply(
        x, count: n, into: &alone, yStride: matrix.rowCount, pool: pool, scratch: scratch)
      #expect(alone == Array(UnsafeBufferPointer(start: output, count: alone.count)))
    }
  }

  @Test func refusesWhatItCannotMultiply() {
    let bytes = Storage(byteCount: 100).view
    #expect(throws: PackedMatrixError.self) {
      try PackedMatrix(element: .blocks(.tq1_0), rowCount: 1, columnCount: 256, bytes: bytes)
    }
    #expect(throws: PackedMatrixError.self) {
      try PackedMatrix(element: .plain(.int32), rowCount: 1, columnCount: 25, bytes: bytes)
    }
    #expect(throws: PackedMatrixError.self) {
      try PackedMatrix(element: .blocks(.q4_0), rowCount: 1, columnCount: 33, bytes: bytes)
    }
    #expect(throws: PackedMatrixError.self) {
      try PackedMatrix(element: .blocks(.q4_0), rowCount: 5, columnCount: 32, bytes: bytes)
    }
    #expect(throws: PackedMatrixError.self) {
      try PackedMatrix(element: .plain(.float32), rowCount: .max, columnCount: 64, bytes: bytes)
    }
  }

  @Test func notANumberIsNotHidden() throws {
    let matrix = try WeightSample.matrix(.blocks(.q4_0), rowCount: 20, columnCount: 64)
    for bad in [Float.nan, .infinity, -.infinity] {
      for n in [1, 9] {
        var x = [Float](repeating: 1, count: 64 * n)
        x[40] = bad
        var y = [Float](repeating: 0, count: 20 * n)
        matrix.multiply(
          x, count: n, into: &y, yStride: 20, pool: WorkerPool(threadCount: 1),
          scratch: ActivationScratch())
        #expect(y[0..<20].allSatisfy { !$0.isFinite })
        #expect(y[20...].allSatisfy { $0.isFinite })
      }
    }
  }
}
