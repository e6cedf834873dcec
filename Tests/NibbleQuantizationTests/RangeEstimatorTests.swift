import NibbleQuantization
import NibbleTensors
import Testing

/// Relative square error ‖W - Ŵ‖² / ‖W‖² of round-to-nearest.
private func relativeError(
  _ weights: [Float], columnCount: Int, _ name: String, _ range: (any RangeEstimator)? = nil,
  importance: [Float]? = nil
) throws -> Double {
  let scheme = try #require(Scheme(name: name))
  let tensor = try weights.withUnsafeBufferPointer { weights in
    try RoundToNearest(range: range ?? scheme.usualRange).quantize(
      weights, rowCount: weights.count / columnCount, columnCount: columnCount, as: scheme)
  }
  var (error, power) = (0.0, 0.0)
  for (index, pair) in zip(weights, tensor.dequantized()).enumerated() {
    let factor = Double(importance?[index % columnCount] ?? 1)
    error += factor * Double(pair.0 - pair.1) * Double(pair.0 - pair.1)
    power += factor * Double(pair.0) * Double(pair.0)
  }
  return error / power
}

private func gaussian(_ count: Int, seed: UInt64) -> [Float] {
  var random = RandomSource(seed: seed)
  return (0..<count).map { _ in Float(random.gaussian()) }
}

@Suite struct RangeEstimatorTests {
  private static let weights = gaussian(1 << 22, seed: 1)

  /// Errors of plain numpy implementations on Gaussian weights; 0.5 % more allows for another sample.
  @Test(
    "Gaussian errors are at most those of the reference",
    arguments: [
      ("int4-g128-sym", "absmax", 1.375e-2), ("int4-g128-asym", "minmax", 1.013e-2),
      ("int4-g128-asym", "mse", 9.12e-3), ("int4-g64-asym", "minmax", 8.32e-3),
      ("int4-g64-asym", "mse", 7.73e-3), ("int4-g32-sym", "absmax", 9.40e-3),
      ("int4-g32-asym", "minmax", 6.53e-3), ("int4-g32-asym", "mse", 6.20e-3),
      ("int4-row-asym", "minmax", 1.97e-2), ("int4-row-asym", "mse", 1.18e-2),
      ("int3-g128-asym", "minmax", 4.65e-2), ("int3-g128-asym", "mse", 3.50e-2),
      ("int2-g128-asym", "minmax", 0.2533), ("int2-g128-asym", "mse", 0.1365),
      ("int8-g128-sym", "absmax", 4.18e-5), ("int8-row-sym", "absmax", 7.65e-5),
      ("nf4-g64", "absmax", 8.45e-3), ("nf4-g64-dq", "absmax", 8.45e-3),
      ("e2m1-g64", "absmax", 1.116e-2),
    ])
  func gaussianError(scheme: String, range: String, limit: Double) throws {
    let error = try relativeError(
      Self.weights, columnCount: 4096, scheme, RangeRegistry.find(range))
    #expect(error <= limit * 1.005)
  }

  @Test("Clipping pays on a tensor with heavy tails: each estimator by how much")
  func heavyTails() throws {
    var weights = gaussian(1 << 18, seed: 5)
    var random = RandomSource(seed: 6)
    for index in weights.indices where index % 1000 == 0 {
      weights[index] *= Float(random.gaussian()) * 12
    }
    for name in ["int8-tensor-asym", "int8-row-sym"] {
      let plain = try relativeError(weights, columnCount: 4096, name, MinMax())
      let percentile = try relativeError(weights, columnCount: 4096, name, Percentile(99.99))
      let mse = try relativeError(weights, columnCount: 4096, name, MeanSquaredError())
      #expect(mse < plain)
      #expect(mse <= percentile)
    }
    // In four bits the outliers would cost every other value its levels.
    let plain = try relativeError(weights, columnCount: 4096, "int4-row-asym", MinMax())
    for (range, share) in [("percentile=99.9", 0.7), ("mse", 0.6), ("kl", 0.9)] {
      let error = try relativeError(
        weights, columnCount: 4096, "int4-row-asym", RangeRegistry.find(range))
      #expect(error < share * plain, "\(range): \(error / plain)")
    }
  }

  @Test("No clipping is worse than the search's choice, for any scheme")
  func searchIsBest() throws {
    let weights = gaussian(64 * 96, seed: 9).map { $0 * 0.03 + 0.01 }
    for name in [
      "int8-row-sym", "int4-g32-sym", "int4-g40-asym", "int3-g64-min", "int2-row-asym", "nf4-g64",
      "fp4-g32", "e2m1-g32", "mxfp4", "iq4nl-g32", "int4-tensor-min", "int4-column-asym-f32",
    ] {
      let best = try relativeError(weights, columnCount: 96, name, MeanSquaredError())
      for range in [AbsMax(), MinMax(), Percentile(99), KLDivergence(), HalfQuadratic()]
        as [any RangeEstimator]
      {
        let error = try relativeError(weights, columnCount: 96, name, range)
        #expect(best <= error * 1.000001, "\(name) \(range.name)")
      }
    }
  }

  @Test("Importance moves the error to where it matters less")
  func importance() throws {
    let weights = gaussian(64 * 128, seed: 21)
    let importance = (0..<128).map { $0 % 8 == 0 ? Float(20) : 1 }
    let scheme = try #require(Scheme(name: "int3-g32-asym"))
    func weighted(_ factors: [Float]?) throws -> Double {
      let tensor = try weights.withUnsafeBufferPointer { weights in
        try (factors ?? []).withUnsafeBufferPointer { buffer in
          try RoundToNearest(range: MeanSquaredError()).quantize(
            weights, rowCount: 64, columnCount: 128, importance: factors == nil ? nil : buffer,
            as: scheme)
        }
      }
      return zip(weights, tensor.dequantized()).enumerated().reduce(0) { sum, item in
        let difference = Double(item.element.0 - item.element.1)
        return sum + Double(importance[item.offset % 128]) * difference * difference
      }
    }
    let (moved, plain) = (try weighted(importance), try weighted(nil))
    #expect(moved < 0.9 * plain)
  }

  @Test("Percentages are those asked for")
  func percentile() throws {
    let values = (0...1000).map { Float($0) / 1000 }
    let grid = Grid(try #require(Scheme(name: "int8-row-min-f32")))
    let fit = values.withUnsafeBufferPointer {
      Percentile(98).fit($0, importance: nil, on: grid)
    }
    #expect(abs(fit.offset - 0.01) < 1e-6)
    #expect(abs(fit.scale * 255 - 0.98) < 1e-6)
    #expect(RangeRegistry.find("percentile=0") == nil)
    #expect(RangeRegistry.find("percentile=101") == nil)
    #expect(RangeRegistry.find("percentile=x") == nil)
    #expect(RangeRegistry.find("mse=3") == nil)
    #expect(RangeRegistry.find("") == nil)
    #expect(RangeRegistry.find("PERCENTILE=99.5")?.name == "percentile=99.5")
    for name in RangeRegistry.names { #expect(RangeRegistry.find(name)?.name == name) }
  }

  @Test("HQQ beats the range that it starts from in its own norm, and fits real zero points")
  func halfQuadratic() throws {
    var weights = gaussian(64 * 512, seed: 31).map { $0 * 0.02 }
    for index in weights.indices where index % 61 == 0 { weights[index] *= 4 }
    let scheme = try #require(Scheme(name: "int4-g64-min"))
    func norm(_ range: any RangeEstimator) throws -> Double {
      let tensor = try weights.withUnsafeBufferPointer {
        try RoundToNearest(range: range).quantize($0, rowCount: 64, columnCount: 512, as: scheme)
      }
      return zip(weights, tensor.dequantized()).reduce(0) {
        let error = abs(Double($1.0 - $1.1))
        return $0 + (error > 0 ? Double.exponent(error, 0.7) : 0)
      }
    }
    let (fitted, plain) = (try norm(HalfQuadratic()), try norm(MinMax()))
    #expect(fitted < plain)
  }
}

extension Double {
  fileprivate static func exponent(_ base: Double, _ power: Double) -> Double {
    var result = 1.0
    // base^0.7 by ten square roots is plenty for a comparison.
    var root = base
    var digits = power
    for _ in 0..<24 {
      root = root.squareRoot()
      digits *= 2
      if digits >= 1 {
        result *= root
        digits -= 1
      }
    }
    return result
  }
}
