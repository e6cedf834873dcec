import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct EntropyThresholdTests {
  struct Case: Decodable {
    let name: String
    let levelCount: Int
    let width: Double
    let counts: [Double]
    let threshold: Double
  }

  @Test func equalsTheDirectImplementation() throws {
    let cases = try rangeFixture("ranges/entropy.json", as: [Case].self)
    #expect(cases.count == 20)
    for reference in cases {
      let histogram = Histogram(.magnitudes, counts: reference.counts, width: reference.width)
      let threshold = EntropyThreshold(levelCount: reference.levelCount).threshold(of: histogram)
      #expect(
        abs(threshold - reference.threshold) < 1e-9 * reference.width,
        "\(reference.name): bins \(threshold / reference.width)")
    }
  }

  @Test func clipsOutliersOnly() {
    var values = TestWeights.gaussian(count: 20_000, seed: 5)
    func threshold() -> Double {
      values.withUnsafeBufferPointer { EntropyThreshold().threshold(of: .magnitudes(of: $0)) }
    }
    #expect((2.5...4.5).contains(threshold()))
    values[7] = 30
    #expect((2.5...4.5).contains(threshold()))
  }

  @Test func emptyAndConstant() {
    #expect(EntropyThreshold().threshold(of: Histogram(.magnitudes)) == 0)
    for values: [Float] in [[0, 0, 0], [.nan], [-2.5, 2.5]] {
      let threshold = values.withUnsafeBufferPointer {
        EntropyThreshold().threshold(of: .magnitudes(of: $0))
      }
      #expect(threshold == (values[0] == -2.5 ? 2.5 : 0))
    }
  }

  /// Twice the mass everywhere changes nothing.
  @Test func scalesWithTheMass() {
    let values = TestWeights.heavy(count: 3000)
    let plain = values.withUnsafeBufferPointer { Histogram.magnitudes(of: $0) }
    let heavier = Histogram(
      .magnitudes, counts: plain.counts.map { $0 * 0.375 }, width: plain.width)
    let estimator = EntropyThreshold()
    #expect(estimator.threshold(of: plain) == estimator.threshold(of: heavier))
  }
}
