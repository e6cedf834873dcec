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
    let ones = [Float](repeating: 1, count: count)
    var plain = ones
    VectorKernels.geluMultiply(gate: gate, up: ones, count: count, into: &gelu)
    VectorKernels.gelu(gate, count: count, into: &plain)
    #expect(plain == gelu)
  }

  @Test(arguments: [1, 8, 19, 100], [Float(0.5), 30, 50]) func softcap(_ count: Int, _ cap: Float) {
    // From far below the cap, where the result is x itself, to far above it.
    for exponent in stride(from: -44.0, through: 38, by: 0.37) {
      let x = sample(count, 11).map { $0 * Float(pow(10, exponent)) }
      var out = x
      VectorKernels.softcap(x, cap: cap, count: count, into: &out)
      for i in 0..<count {
        let expected = Double(cap) * tanh(Double(x[i]) / Double(cap))
        #expect(abs(Double(out[i]) - expected) <= 1e-6 * abs(expected), "softcap(\(x[i]))")
      }
    }
  }

  @Test func softcapOfExtremes() {
    let x: [Float] = [
      .nan, .infinity, -.infinity, -0.0, .greatestFiniteMagnitude, .leastNonzeroMagnitude,
    ]
    var out = x
    VectorKernels.softcap(x, cap: 30, count: 6, into: &out)
    #expect(out[0].isNaN)
    #expect(out[1] == 30 && out[2] == -30 && out[4] == 30 && out[5] == .leastNonzeroMagnitude)
    #expect(out[3] == 0 && out[3].sign == .minus)
  }

  @Test(arguments: [1, 2, 31, 64, 77, 1000], [false, true])
  func layerNorm(_ count: Int, _ hasBias: Bool) {
    // An offset far above the spread shows whether the mean is taken off before squaring.
    for offset in [Float(0), 300] {
      let x = sample(count, 12).map { $0 + offset }
      let (weight, bias) = (sample(count, 13), sample(count, 14))
      var out = x
      bias.withUnsafeBufferPointer { bias in
        VectorKernels.layerNorm(
          x, weight: weight, bias: hasBias ? bias.baseAddress : nil, count: count, epsilon: 1e-5,
          into: &out)
      }
      let mean = x.reduce(0.0) { $0 + Double($1) } / Double(count)
      let variance = x.reduce(0.0) { $0 + pow(Double($1) - mean, 2) } / Double(count)
      for i in 0..<count {
        let normal = (Double(x[i]) - mean) / (variance + 1e-5).squareRoot()
        let expected = normal * Double(weight[i]) + (hasBias ? Double(bias[i]) : 0)
        // The mean is off by some 2^-24 of itself, against a spread of 1.
        let tolerance = (1e-6 + 2e-7 * Double(offset)) * (1 + abs(normal * Double(weight[i])))
        #expect(abs(Double(out[i]) - expected) < tolerance * (1 + abs(Double(weight[i]))))
      }
    }
  }

  @Test(arguments: [0, 1, 3, 4, 16, 37, 64], [false, true])
  func rotates(_ pairCount: Int, _ isInterleaved: Bool) {
    let (headCount, headStride) = (3, 2 * pairCount + 5)
    let angles = sample(pairCount, 15)
    let (cosines, sines) = (angles.map { cos($0) }, angles.map { sin($0) })
    let x = sample(headCount * headStride, 16)
    var expected = x
    for head in 0..<headCount {
      for pair in 0..<pairCount {
        let start = head * headStride
        let i = start + (isInterleaved ? 2 * pair : pair)
        let j = start + (isInterleaved ? 2 * pair + 1 : pair + pairCount)
        expected[i] = x[i] * cosines[pair] - x[j] * sines[pair]
        expected[j] = x[i] * sines[pair] + x[j] * cosines[pair]
      }
    }
    var row = x
    VectorKernels.rotate(
      &row, cosines: cosines, sines: sines, pairCount: pairCount, isInterleaved: isInterleaved,
      headCount: headCount, headStride: headStride)
    #expect(row == expected)
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
