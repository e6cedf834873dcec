import CNibbleKernels
import NibbleTensors
import Testing

@Suite struct RoundedProductTests {
  private func sample(_ count: Int, _ seed: UInt64) -> [Float] {
    var random = RandomSource(seed: seed)
    return (0..<count).map { _ in Float(random.gaussian()) }
  }

  /// ‖a - b‖ / ‖b‖.
  private func error(_ a: [Float], _ b: [Double]) -> Double {
    let difference = zip(a, b).reduce(0.0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
    return (difference / b.reduce(1e-300) { $0 + $1 * $1 }).squareRoot()
  }

  @Test(arguments: [(1, 1, 1), (3, 9, 7), (33, 17, 128), (100, 40, 301), (9, 70, 1030)])
  func products(_ n: Int, _ rowCount: Int, _ columnCount: Int) {
    let (x, weights) = (sample(n * columnCount, 1), sample(rowCount * columnCount, 2))
    var expected: [Double] = []
    for i in 0..<n {
      for r in 0..<rowCount {
        expected.append(
          (0..<columnCount).reduce(0.0) {
            $0 + Double(x[i * columnCount + $1]) * Double(weights[r * columnCount + $1])
          })
      }
    }
    var results: [[Float]] = []
    let stride = rowCount + 3
    for threadCount in [1, 2, 3] {
      var y = [Float](repeating: 5, count: n * stride)
      MatrixProduct.multiplyRounded(
        x, count: n, weights, rowCount: rowCount, columnCount: columnCount, into: &y,
        yStride: stride, pool: WorkerPool(threadCount: threadCount))
      let inside = y.indices.filter { $0 % stride < rowCount }.map { y[$0] }
      let isOutsideUntouched = y.indices.allSatisfy { $0 % stride < rowCount || y[$0] == 5 }
      #expect(isOutsideUntouched)
      #expect(error(inside, expected) < 1e-3)
      results.append(y)
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }

  @Test(arguments: [(5, 1, 3), (37, 63, 20), (700, 100, 65), (129, 8, 8)])
  func moments(_ n: Int, _ columnCount: Int, _ otherCount: Int) {
    let (x, y) = (sample(n * columnCount, 3), sample(n * otherCount, 4))
    func expected(_ y: [Float], _ otherCount: Int) -> [Double] {
      (0..<columnCount * otherCount).map { place in
        (0..<n).reduce(1.0) {
          $0 + Double(x[$1 * columnCount + place / otherCount])
            * Double(y[$1 * otherCount + place % otherCount])
        }
      }
    }
    let (outer, cross) = (expected(x, columnCount), expected(y, otherCount))
    let upper = outer.indices.filter { $0 / columnCount <= $0 % columnCount }
    var results: [[Float]] = []
    for threadCount in [1, 2, 3] {
      let pool = WorkerPool(threadCount: threadCount)
      var moments = [Float](repeating: 1, count: columnCount * columnCount)
      MatrixProduct.addOuterProductsRounded(
        x, count: n, columnCount: columnCount, to: &moments, pool: pool)
      #expect(error(upper.map { moments[$0] }, upper.map { outer[$0] }) < 1e-3)
      var mixed = [Float](repeating: 1, count: columnCount * otherCount)
      MatrixProduct.addCrossProductsRounded(
        x, columnCount, y, otherCount, count: n, to: &mixed, pool: pool)
      #expect(error(mixed, cross) < 1e-3)
      results.append(moments + mixed)
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }

  /// A value that is far larger than the others of its run leaves them fewer digits, and other runs all of theirs.
  @Test func outlier() {
    let columnCount = 256
    var x = sample(columnCount, 5)
    let weights = sample(columnCount, 6)
    func product() -> Float {
      var y: Float = 0
      MatrixProduct.multiplyRounded(
        x, count: 1, weights, rowCount: 1, columnCount: columnCount, into: &y, yStride: 1,
        pool: WorkerPool(threadCount: 1))
      return y
    }
    let before = product()
    x[3] += 1000
    #expect(abs(product() - before - 1000 * weights[3]) < 2)
    x[3] = .nan
    #expect(product().isNaN)
    x[3] = .infinity
    #expect(!product().isFinite)
  }

  /// Every table gives the bits of plain C.
  @Test(arguments: [NK_AVX2, NK_AVX512])
  func tables(_ instructionSet: nk_instruction_set) throws {
    guard let table = nk_panels_for(instructionSet)?.pointee else { return }
    let plain = try #require(nk_panels_for(NK_SCALAR)?.pointee)
    for (count, rows, columns) in [(1, 1, 1), (127, 8, 8), (300, 5, 7), (512, 8, 3)] {
      func run(_ table: nk_panel_table) -> [Float] {
        let (a, b) = (sample(8 * count, 7), sample(8 * count, 8))
        var codes = [[Int16]](repeating: [Int16](repeating: 0, count: 8 * (count + 1)), count: 2)
        var scales = [[Float]](repeating: [Float](repeating: 0, count: 8 * 5), count: 2)
        table.pack_rows(a, count, rows, count, &codes[0], &scales[0])
        table.pack_columns(b, 8, columns, count, &codes[1], &scales[1])
        var result = [Float](repeating: 2, count: 64)
        table.multiply(
          codes[0], scales[0], codes[1], scales[1], count, rows, columns, 1, &result, 8)
        return result + scales[0] + scales[1] + (codes[0] + codes[1]).map { Float($0) }
      }
      #expect(run(table) == run(plain))
    }
  }
}
