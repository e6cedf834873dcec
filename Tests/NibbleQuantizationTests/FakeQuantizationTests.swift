import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct FakeQuantizationTests {
  @Test(
    "Row by row gives what all rows together give, and what the tensor holds",
    arguments: storedSchemes)
  func rows(name: String) throws {
    let scheme = try #require(Scheme(name: name))
    var random = RandomSource(seed: 4)
    let weights = (0..<5 * 96).map { _ in Float(random.gaussian()) }
    let rounding = FakeQuantization(scheme, method: RoundToNearest(range: scheme.usualRange))
    var together = weights
    let error = try together.withUnsafeMutableBufferPointer {
      try rounding($0, rowCount: 5, columnCount: 96)
    }
    let tensor = try weights.withUnsafeBufferPointer {
      try rounding.method.quantize($0, rowCount: 5, columnCount: 96, as: scheme)
    }
    #expect(together == tensor.dequantized())
    let expected = zip(weights, together).reduce(0.0) { sum, pair in
      let difference = Double(pair.0) - Double(pair.1)
      return sum + difference * difference
    }
    #expect(error == expected)
    // 256 levels for 96 values of a row lose nothing.
    #expect((error > 0) == (name != "kmeans8-row-f32"))
    guard scheme.isRowLocal else { return }
    for row in 0..<5 {
      var alone = Array(weights[row * 96..<(row + 1) * 96])
      try alone.withUnsafeMutableBufferPointer {
        _ = try rounding($0, rowCount: 1, columnCount: 96)
      }
      #expect(alone == Array(together[row * 96..<(row + 1) * 96]))
    }
  }

  @Test("Rounding twice changes nothing more on grids that keep their range")
  func idempotent() throws {
    for name in ["int8-row-sym-f32", "int4-g32-min-f32", "nf4-g64", "kmeans4-row-f32"] {
      let scheme = try #require(Scheme(name: name))
      var random = RandomSource(seed: 8)
      var values = (0..<3 * 64).map { _ in Float(random.gaussian()) }
      let rounding = FakeQuantization(scheme)
      try values.withUnsafeMutableBufferPointer {
        _ = try rounding($0, rowCount: 3, columnCount: 64)
      }
      let once = values
      try values.withUnsafeMutableBufferPointer {
        _ = try rounding($0, rowCount: 3, columnCount: 64)
      }
      for (first, second) in zip(once, values) { #expect(abs(first - second) <= 1e-6) }
    }
  }
}
