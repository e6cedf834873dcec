import NibbleQuantization
import NibbleTensors
import Testing

/// Weights that break careless arithmetic, in every scheme with every range.
@Suite struct DifficultWeightsTests {
  private static let ranges: [any RangeEstimator] = [
    AbsMax(), MinMax(), Percentile(99), MeanSquaredError(), KLDivergence(), HalfQuadratic(),
  ]

  private static func quantize(
    _ weights: [Float], rowCount: Int, _ name: String, _ range: any RangeEstimator
  ) throws -> QuantizedTensor {
    let scheme = try #require(Scheme(name: name))
    return try weights.withUnsafeBufferPointer {
      try RoundToNearest(range: range).quantize(
        $0, rowCount: rowCount, columnCount: rowCount == 0 ? 0 : weights.count / rowCount,
        as: scheme)
    }
  }

  @Test("Zeros stay zeros", arguments: storedSchemes)
  func zeros(name: String) throws {
    for range in Self.ranges {
      let values = try Self.quantize(
        [Float](repeating: 0, count: 300), rowCount: 3, name, range
      ).dequantized()
      #expect(values.allSatisfy { $0 == 0 }, "\(range.name)")
    }
  }

  @Test("Constants come back within a step", arguments: storedSchemes)
  func constants(name: String) throws {
    for value in [0.75, -0.75] as [Float] {
      for range in [MinMax(), MeanSquaredError()] as [any RangeEstimator] {
        let values = try Self.quantize(
          [Float](repeating: value, count: 300), rowCount: 3, name, range
        ).dequantized()
        // Powers of two as scales miss the constant by a quarter, iq4nl's highest level is 113 of 127.
        let tolerance: Float = name == "mxfp4" ? 0.26 : name.hasPrefix("iq4nl") ? 0.12 : 0.01
        #expect(values.allSatisfy { abs($0 - value) <= tolerance * 0.75 }, "\(range.name)")
      }
    }
  }

  @Test(
    "One outlier of 1e30: the right values, or an error that says what to do",
    arguments: storedSchemes)
  func outlier(name: String) throws {
    var random = RandomSource(seed: 2)
    var weights = (0..<300).map { _ in Float(random.gaussian()) }
    weights[150] = 1e30
    for range in Self.ranges {
      do {
        let values = try Self.quantize(weights, rowCount: 3, name, range).dequantized()
        let areFinite = values.allSatisfy { $0.isFinite }
        #expect(areFinite, "\(range.name)")
      } catch let error as QuantizationError {
        #expect(error.message.contains("too large") && error.message.contains("-f32"))
      }
    }
    if name.hasSuffix("-f32") || name == "nf4-g64" {
      let values = try Self.quantize(weights, rowCount: 3, name, AbsMax()).dequantized()
      #expect(abs(values[150] / 1e30 - 1) < 0.01)
    }
  }

  @Test("Denormal values give finite values that are no larger", arguments: storedSchemes)
  func denormals(name: String) throws {
    let weights = (0..<300).map { Float(bitPattern: UInt32($0)) * ($0 % 2 == 0 ? 1 : -1) }
    for range in Self.ranges {
      let values = try Self.quantize(weights, rowCount: 3, name, range).dequantized()
      #expect(values.allSatisfy { abs($0) <= 1e-7 }, "\(range.name)")
    }
  }

  @Test(
    "NaN and infinity are refused with their place",
    arguments: ["int4-g32-asym", "nf4-g64", "kmeans4-row", "q4_0"])
  func notFinite(name: String) throws {
    for (value, word) in [(Float.nan, "NaN"), (.infinity, "infinity")] {
      var weights = [Float](repeating: 1, count: 128)
      weights[70] = value
      let scheme = try #require(Scheme(name: name))
      let error = #expect(throws: QuantizationError.self) {
        try weights.withUnsafeBufferPointer {
          try RoundToNearest().quantize($0, rowCount: 2, columnCount: 64, as: scheme)
        }
      }
      #expect(error?.message == "holds \(word) at row 1, column 6")
    }
  }

  @Test("Empty tensors have no codes", arguments: storedSchemes)
  func empty(name: String) throws {
    for range in Self.ranges {
      let tensor = try Self.quantize([], rowCount: 0, name, range)
      #expect(tensor.codes.isEmpty && tensor.dequantized().isEmpty)
      let rows = try Self.quantize([], rowCount: 4, name, range)
      #expect(rows.rowCount == 4 && rows.columnCount == 0 && rows.dequantized().isEmpty)
    }
  }

  @Test("A last shorter group has a scale of its own")
  func shortGroup() throws {
    // Groups of 32 and 8: the second must not feel the first's large values.
    let row: [Float] = (0..<40).map { (index: Int) -> Float in
      if index < 32 { return Float(index - 16) }
      return Float(index - 36) * 0.001
    }
    for name in ["int8-g32-sym-f32", "int8-g32-asym-f32", "int8-g32-min-f32"] {
      let tensor = try Self.quantize(row + row, rowCount: 2, name, MinMax())
      #expect(tensor.scales.count == 4)
      for (value, original) in zip(tensor.dequantized().suffix(8), row.suffix(8)) {
        #expect(abs(value - original) < 2e-5)
      }
    }
  }

  @Test("Rows that do not fill GGUF's blocks are refused")
  func wholeBlocks() {
    for name in ["q4_0", "q4_k"] {
      #expect(throws: QuantizationError.self) {
        let scheme = try #require(Scheme(name: name))
        let weights = [Float](repeating: 1, count: 2 * 40)
        _ = try weights.withUnsafeBufferPointer {
          try RoundToNearest().quantize($0, rowCount: 2, columnCount: 40, as: scheme)
        }
      }
    }
  }

  @Test("Every output channel of a convolution has its own scale")
  func convolution() throws {
    // [out, in, height, width] = [3, 2, 2, 2]; a channel is a row of 8.
    let kernel: [Float] = (0..<24).map { (index: Int) -> Float in
      Float(index % 8) * Float(index / 8 + 1) - 2
    }
    let scheme = try #require(Scheme(name: "int8-row-sym-f32"))
    let tensor = try kernel.withUnsafeBufferPointer {
      try RoundToNearest().quantize($0, shape: [3, 2, 2, 2], as: scheme)
    }
    #expect(tensor.rowCount == 3 && tensor.columnCount == 8)
    for channel in 0..<3 {
      let values: ArraySlice<Float> = kernel[channel * 8..<channel * 8 + 8]
      let largest = values.reduce(Float(0)) { max($0, abs($1)) }
      #expect(tensor.scales.values()[channel] == largest / 127)
    }
  }
}
