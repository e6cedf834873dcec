import Foundation
import NibbleTensors
import Testing

@Suite struct VectorKernelsTests {
  private func sample(_ count: Int, _ seed: UInt64) -> [Float] {
    var random = RandomSource(seed: seed)
    return (0..<count).map { _ in Float(random.gaussian()) }
  }

  @Test(arguments: [0, 1, 7, 31, 32, 33, 64, 100, 1000])
  func sums(_ count: Int) {
    let (x, y) = (sample(count, 1), sample(count, 2))
    let expected = zip(x, y).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    #expect(
      abs(Double(VectorKernels.dot(x, y, count: count)) - expected) < 1e-5 * Double(count + 1))
    let squares = x.reduce(0.0) { $0 + Double($1) * Double($1) }
    #expect(
      abs(Double(VectorKernels.sumOfSquares(x, count: count)) - squares) < 1e-5 * Double(count + 1))
  }

  @Test(arguments: [1, 5, 8, 33, 100, 513])
  func softmaxSumsToOne(_ count: Int) {
    var x = sample(count, 3).map { $0 * 20 }
    if count > 5 { x[2] = -.infinity }
    let largest = x.max() ?? 0
    let exponentials = x.map { exp(Double($0 - largest)) }
    let total = exponentials.reduce(0, +)
    let expected = exponentials.map { $0 / total }
    VectorKernels.softmax(&x, count: count)
    for (actual, expected) in zip(x, expected) {
      #expect(abs(Double(actual) - expected) <= 1e-6 * expected + 1e-37)
    }
  }

  @Test func exponentialErrorIsAsDocumented() {
    // silu(x) * 1 = x / (1 + exp(-x)), hence exp(-x) = x / silu(x) - 1; the softmax of (0, x) shows small arguments.
    var worst = 0.0
    for step in 0..<4000 {
      let x = -Float(step) * 0.0218
      var pair: [Float] = [0, x]
      VectorKernels.softmax(&pair, count: 2)
      let expected = exp(Double(x)) / (1 + exp(Double(x)))
      worst = max(worst, abs(Double(pair[1]) / expected - 1))
    }
    #expect(worst < 4e-7)
  }

  @Test(arguments: [1, 4, 8, 15, 64, 101])
  func gates(_ count: Int) {
    let (gate, up) = (sample(count, 4).map { $0 * 8 }, sample(count, 5))
    var silu = [Float](repeating: 0, count: count)
    var gelu = silu
    VectorKernels.siluMultiply(gate: gate, up: up, count: count, into: &silu)
    VectorKernels.geluMultiply(gate: gate, up: up, count: count, into: &gelu)
    for i in 0..<count {
      let (x, y) = (Double(gate[i]), Double(up[i]))
      #expect(abs(Double(silu[i]) - x / (1 + exp(-x)) * y) < 2e-6 * abs(x * y) + 1e-30)
      let tanhForm = 0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
      #expect(abs(Double(gelu[i]) - tanhForm * y) < 4e-6 * abs(x * y) + 1e-30)
    }
  }

  @Test func gatesKeepNotANumberAndExtremes() {
    let gate: [Float] = [.nan, 1e30, -1e30, 100, -100, 0]
    let up = [Float](repeating: 1, count: 6)
    var out = up
    VectorKernels.siluMultiply(gate: gate, up: up, count: 6, into: &out)
    #expect(out[0].isNaN)
    #expect(out[1] == 1e30 && out[3] == 100 && out[5] == 0)
    #expect(abs(out[4]) < 1e-35)
  }

  @Test func norms() {
    let (x, weight) = (sample(77, 6), sample(77, 7))
    var out = [Float](repeating: 0, count: 77)
    VectorKernels.rmsNorm(x, weight: weight, count: 77, epsilon: 1e-5, into: &out)
    let mean = x.reduce(0.0) { $0 + Double($1) * Double($1) } / 77
    for i in 0..<77 {
      let expected = Double(x[i]) / (mean + 1e-5).squareRoot() * Double(weight[i])
      #expect(abs(Double(out[i]) - expected) < 1e-6 * abs(expected) + 1e-9)
    }
  }

  @Test func findsTheFirstNonFinite() {
    for count in [0, 1, 31, 32, 40, 100] {
      let x = sample(count, 8)
      #expect(VectorKernels.firstNonFinite(x, count: count) == nil)
      for position in stride(from: 0, to: count, by: 7) {
        for bad in [Float.nan, .infinity, -.infinity] {
          var y = x
          y[position] = bad
          y[count - 1] = .nan
          #expect(VectorKernels.firstNonFinite(y, count: count) == position)
        }
      }
    }
    #expect(VectorKernels.firstNonFinite([.greatestFiniteMagnitude, -0.0], count: 2) == nil)
  }

  @Test func elementwise() {
    let (x, y) = (sample(45, 9), sample(45, 10))
    var sum = x
    VectorKernels.add(x, y, count: 45, into: &sum)
    #expect(sum == zip(x, y).map { $0 + $1 })
    VectorKernels.scale(x, by: 3, count: 45, into: &sum)
    #expect(sum == x.map { $0 * 3 })
    sum = y
    VectorKernels.addProduct(0.3, x, count: 45, to: &sum)
    #expect(sum == zip(x, y).map { $1.addingProduct(0.3, $0) })
  }
}
