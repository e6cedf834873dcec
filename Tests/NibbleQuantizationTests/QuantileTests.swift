import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct QuantileTests {
  struct Case: Decodable {
    let name: String
    let values: [Float]
    let weights: [Float]
    let fractions: [Double]
    let plain: [Float]
    let weighted: [Float]
  }

  private func quantiles(_ values: [Float], _ fractions: [Double]) -> [Float] {
    values.withUnsafeBufferPointer { NibbleQuantization.quantiles(of: $0, fractions) }
  }

  private func quantiles(_ values: [Float], _ weights: [Float], _ fractions: [Double]) -> [Float] {
    values.withUnsafeBufferPointer { x in
      weights.withUnsafeBufferPointer {
        NibbleQuantization.quantiles(of: x, weights: $0, fractions)
      }
    }
  }

  private func isClose(_ a: Float, _ b: Float, _ scale: Float) -> Bool {
    abs(a - b) <= 2e-7 * max(abs(a), abs(b), scale * 1e-6)
  }

  @Test func equalsNumpy() throws {
    for reference in try rangeFixture("ranges/quantiles.json", as: [Case].self) {
      let scale = reference.values.map { abs($0) }.max() ?? 0
      let plain = quantiles(reference.values, reference.fractions)
      let weighted = quantiles(reference.values, reference.weights, reference.fractions)
      let ones = [Float](repeating: 0.75, count: reference.values.count)
      let equal = quantiles(reference.values, ones, reference.fractions)
      for index in reference.fractions.indices {
        let fraction = "\(reference.name) \(reference.fractions[index])"
        #expect(isClose(plain[index], reference.plain[index], scale), "\(fraction)")
        #expect(isClose(weighted[index], reference.weighted[index], scale), "\(fraction)")
        #expect(isClose(equal[index], plain[index], scale), "\(fraction)")
      }
    }
  }

  /// Many values are selected, not sorted: the same results.
  @Test func selectionEqualsSorting() {
    var source = RandomSource(seed: 9)
    let fractions = (0...200).map { Double($0) / 200 } + [0.12345, 0.99999]
    for shape in 0..<3 {
      let values = (0..<70_001).map { _ in
        let x = Float(source.gaussian())
        return shape == 0 ? x : shape == 1 ? (x * 4).rounded() : x * x * x * 1e-20
      }
      let sorted = values.sorted()
      let expected = fractions.map { fraction in
        let position = fraction * 70_000
        let low = Double(sorted[Int(position)])
        let high = Double(sorted[min(Int(position) + 1, 70_000)])
        return Float(low + (high - low) * (position - Double(Int(position))))
      }
      #expect(quantiles(values, fractions) == expected)
    }
  }

  @Test func weightedQuantilesAreSymmetric() {
    let values = TestWeights.gaussian(count: 300, seed: 4)
    let weights = TestWeights.bell(count: 300).map { $0 * $0 }
    let fractions = [0, 0.125, 0.5, 0.75, 1]
    let forward = quantiles(values, weights, fractions)
    let backward = quantiles(values.map { -$0 }, weights, fractions.map { 1 - $0 })
    for index in fractions.indices {
      #expect(abs(forward[index] + backward[index]) < 1e-6)
    }
    let order = Array(values.indices.reversed())
    let permuted = quantiles(order.map { values[$0] }, order.map { weights[$0] }, fractions)
    for index in fractions.indices { #expect(abs(forward[index] - permuted[index]) < 1e-6) }
  }

  @Test func oddInput() {
    let many = [Float](repeating: 1, count: 40_000)
    #expect(quantiles([], [0.5])[0].isNaN)
    #expect(quantiles([1, .nan, 2], [0.5])[0].isNaN)
    #expect(quantiles(many + [.nan], [0.5])[0].isNaN)
    #expect(quantiles(many, [0, 0.3, 1]) == [1, 1, 1])
    #expect(quantiles([-.infinity, 0, .infinity], [0, 0.5, 1]) == [-.infinity, 0, .infinity])
    #expect(quantiles([1, 2], [0, 0], [0.5])[0].isNaN)
    #expect(quantiles([1, 2, 9], [1, 1, .nan], [0, 0.5, 1]) == [1, 1.5, 2])
    #expect(quantiles([1, 2], []) == [])
  }
}
