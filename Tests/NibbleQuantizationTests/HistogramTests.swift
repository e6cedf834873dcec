import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct HistogramTests {
  static let shapes: [[Float]] = [
    TestWeights.gaussian(count: 3000, seed: 1), TestWeights.heavy(count: 3000),
    [Float](repeating: 0, count: 5), [1, 2, 3, 4, -4, -3, 0.5, 0], [-0x1p-149, 0x1p-149, 0],
    [3e38, -1e-38, .greatestFiniteMagnitude], [.nan, 1, .infinity, -2],
  ]

  /// Each value counted by itself in bins of a known width.
  private func reference(_ values: [Float], _ weights: [Float]?, like histogram: Histogram)
    -> [Double]
  {
    var counts = [Double](repeating: 0, count: histogram.counts.count)
    for (index, value) in values.enumerated() where value.isFinite {
      let bin =
        (0..<counts.count).first { bin in
          let low = histogram.lowerEdge(of: bin)
          let high = histogram.lowerEdge(of: bin + 1)
          let x = histogram.subject == .magnitudes ? Double(abs(value)) : Double(value)
          return low < 0 ? low <= x && x < high : (low < x && x <= high) || (x == 0 && low == 0)
        }
      if let bin { counts[bin] += Double(weights?[index] ?? 1) }
    }
    return counts
  }

  @Test(arguments: [Histogram.Subject.values, .magnitudes])
  func countsAreThoseOfTheEdges(subject: Histogram.Subject) {
    for values in Self.shapes {
      var histogram = Histogram(subject, binCount: 64)
      values.withUnsafeBufferPointer { histogram.observe($0) }
      #expect(histogram.counts == reference(values, nil, like: histogram))
      let finite = values.filter(\.isFinite)
      #expect(histogram.total == Double(finite.count))
      #expect(histogram.ignoredCount == values.count - finite.count)
      let kept = subject == .values ? finite : finite.map { abs($0) }
      #expect(histogram.minimum == kept.min().map(Double.init))
      #expect(histogram.maximum == kept.max().map(Double.init))
      // Half of the range or more is used, so that half of the bins resolve the data.
      let largest = Double(finite.map { abs($0) }.max() ?? 0)
      let reach = histogram.lowerEdge(of: histogram.counts.count)
      #expect(largest <= reach && (largest > reach / 2 || histogram.doublingCount == 0))
    }
  }

  /// Any split and any order give the same histogram, bit for bit.
  @Test(arguments: [Histogram.Subject.values, .magnitudes])
  func mergesAreExact(subject: Histogram.Subject) {
    var source = RandomSource(seed: 3)
    for values in Self.shapes {
      // Multiples of 1/8 add up exactly.
      let weights = values.map { _ in Float(source.next() % 40) / 8 }
      var whole = Histogram(subject, binCount: 128)
      values.withUnsafeBufferPointer { x in
        weights.withUnsafeBufferPointer { whole.observe(x, weights: $0) }
      }
      for partCount in [2, 3, 7] {
        var parts = (0..<partCount).map { _ in Histogram(subject, binCount: 128) }
        for index in values.indices.shuffled(using: &source) {
          let part = Int(source.next() % UInt64(partCount))
          [values[index]].withUnsafeBufferPointer { x in
            [weights[index]].withUnsafeBufferPointer { parts[part].observe(x, weights: $0) }
          }
        }
        var merged = parts.removeLast()
        for part in parts { merged.merge(part) }
        #expect(merged == whole)
      }
    }
  }

  @Test func wideningIsTheSameAsStartingWide() {
    let values = TestWeights.gaussian(count: 500, seed: 2)
    var late = Histogram(.values, binCount: 32)
    var early = late
    early.widen(toHold: 1000)
    values.withUnsafeBufferPointer {
      late.observe($0)
      early.observe($0)
    }
    #expect(late != early)
    late.widen(toHold: 1000)
    #expect(late == early)
    #expect(late.width == 64)
    late.coarsen(by: 200)
    #expect(late.counts[15] + late.counts[16] == 500)
  }

  @Test func magnitudesDivideTheirRange() {
    let values = TestWeights.gaussian(count: 5000, seed: 8)
    let histogram = values.withUnsafeBufferPointer { Histogram.magnitudes(of: $0) }
    let largest = Double(values.map { abs($0) }.max() ?? 0)
    #expect(histogram.width == largest / 2048)
    #expect(histogram.doublingCount == 0)
    #expect(histogram.counts[2047] >= 1)
    #expect(histogram.total == 5000)
    #expect(histogram.counts == reference(values, nil, like: histogram))
    for odd: [Float] in [[], [0, 0], [.nan], [0x1p-149], [-.infinity, 3]] {
      let total = odd.withUnsafeBufferPointer { Histogram.magnitudes(of: $0).total }
      #expect(total == Double(odd.count(where: \.isFinite)))
    }
  }

  @Test func quantilesAreWithinABin() throws {
    for values in [TestWeights.gaussian(count: 4000, seed: 6), TestWeights.heavy(count: 999)] {
      var histogram = Histogram(.values, binCount: 512)
      values.withUnsafeBufferPointer { histogram.observe($0) }
      let sorted = values.sorted()
      var last = -Double.infinity
      for step in 0...50 {
        let fraction = Double(step) / 50
        let value = try #require(histogram.quantile(fraction))
        let rank = max(0, Int((fraction * Double(values.count)).rounded(.up)) - 1)
        #expect(abs(value - Double(sorted[rank])) <= histogram.width)
        #expect(value >= last)
        last = value
      }
      #expect(histogram.quantile(0) == histogram.minimum)
      #expect(histogram.quantile(1) == histogram.maximum)
    }
    #expect(Histogram(.values).quantile(0.5) == nil)
    // One bin of four: the quantile is linear in it.
    let flat = Histogram(.magnitudes, counts: [0, 4, 0, 0], width: 2)
    #expect(flat.quantile(0.25) == 2.5)
  }
}
