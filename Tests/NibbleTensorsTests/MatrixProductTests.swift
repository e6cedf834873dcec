import NibbleTensors
import Testing

@Suite struct MatrixProductTests {
  private func sample(_ count: Int, _ seed: UInt64) -> [Float] {
    var random = RandomSource(seed: seed)
    return (0..<count).map { _ in Float(random.gaussian()) }
  }

  @Test(arguments: [1, 63, 64, 200])
  func outerProducts(_ columnCount: Int) {
    let n = 37
    let x = sample(n * columnCount, 1)
    let start = sample(columnCount * columnCount, 2)
    var results: [[Float]] = []
    for threadCount in [1, 2, 3] {
      var sum = start
      MatrixProduct.addOuterProducts(
        x, count: n, columnCount: columnCount, scale: 0.5, to: &sum,
        pool: WorkerPool(threadCount: threadCount))
      for i in 0..<columnCount {
        for j in i..<columnCount {
          var expected = 0.0
          for row in 0..<n {
            expected += Double(x[row * columnCount + i]) * Double(x[row * columnCount + j])
          }
          expected = expected / 2 + Double(start[i * columnCount + j])
          #expect(abs(Double(sum[i * columnCount + j]) - expected) < 1e-4)
        }
      }
      results.append(sum)
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }

  @Test func products() {
    let (n, rowCount, columnCount) = (9, 35, 50)
    let (x, weights) = (sample(n * columnCount, 3), sample(rowCount * columnCount, 4))
    var y = [Float](repeating: 0, count: n * rowCount)
    MatrixProduct.multiply(
      x, count: n, weights, rowCount: rowCount, columnCount: columnCount, into: &y,
      pool: WorkerPool(threadCount: 2))
    for i in 0..<n {
      for r in 0..<rowCount {
        var expected: Float = 0
        for c in 0..<columnCount {
          expected.addProduct(weights[r * columnCount + c], x[i * columnCount + c])
        }
        #expect(y[i * rowCount + r] == expected)
      }
    }
  }
}
