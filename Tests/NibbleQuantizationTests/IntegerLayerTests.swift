import NibbleQuantization
import NibbleTensors
import Testing

/// A layer and its results, as scripts/fixtures/integer.py writes them.
private struct LayerCase: Decodable {
  let name: String
  let inputShape: [Int]
  let input: [Int8]
  let weight: [Int8]
  let rowCount: Int
  let inputScale: Float
  let inputZeroPoint: Int8
  let weightScales: [Float]
  let weightZeroPoints: [Int8]
  let bias: [Float]?
  let outputScale: Float
  let outputZeroPoint: Int8
  let sums: [Int32]
  let values: [Float]
  let codes: [Int8]
  let kernel: [Int]?
  let stride: [Int]?
  let padding: [Int]?
  let dilation: [Int]?
  let groups: Int?

  var scale: IntegerScale { IntegerScale(scale: inputScale, zeroPoint: inputZeroPoint) }
  var output: IntegerScale { IntegerScale(scale: outputScale, zeroPoint: outputZeroPoint) }

  /// The step of each output element: its channel comes after the batch.
  func step(of index: Int, channelSize: Int) -> Float {
    let row = index / channelSize % rowCount
    return inputScale * weightScales[weightScales.count == 1 ? 0 : row]
  }

  /// Values agree but for the bias, which is rounded to a step, and the rounding of floats.
  func check(_ found: [Float], channelSize: Int) {
    #expect(found.count == values.count)
    let largest = values.map { abs($0) }.max() ?? 0
    for index in values.indices {
      let tolerance =
        (bias == nil ? 0 : step(of: index, channelSize: channelSize) * 0.501) + largest * 1e-6
      #expect(abs(found[index] - values[index]) <= tolerance, "\(name) \(index)")
    }
  }
}

@Suite struct IntegerLinearTests {
  @Test func equalsTheReference() throws {
    for reference in try rangeFixture("integer/linear.json", as: [LayerCase].self) {
      let layer = try IntegerLinear(
        weight: reference.weight, rowCount: reference.rowCount,
        columnCount: reference.inputShape[1], weightScales: reference.weightScales,
        weightZeroPoints: reference.weightZeroPoints, input: reference.scale, bias: reference.bias)
      let count = reference.inputShape[0]
      reference.input.withUnsafeBufferPointer { input in
        #expect(layer.sums(of: input, count: count) == reference.sums, "\(reference.name)")
        reference.check(layer(input, count: count), channelSize: 1)
        #expect(
          layer.codes(of: input, count: count, output: reference.output) == reference.codes,
          "\(reference.name)")
        let positive = layer.codes(
          of: input, count: count, output: reference.output, within: 0...127)
        #expect(positive == reference.codes.map { max($0, 0) })
      }
    }
  }

  /// The error against float arithmetic stays within what half a step of each factor gives.
  @Test func isWithinTheStepsOfTheFloatLayer() throws {
    let (rowCount, columnCount, count) = (12, 96, 8)
    let weight = TestWeights.gaussian(count: rowCount * columnCount, seed: 31).map { $0 * 0.1 }
    let x = TestWeights.gaussian(count: count * columnCount, seed: 32).map { $0 + 0.5 }
    let bias = TestWeights.gaussian(count: rowCount, seed: 33)
    let input = IntegerScale(minimum: x.min() ?? 0, maximum: x.max() ?? 0)
    var codes: [Int8] = []
    var scales: [IntegerScale] = []
    for row in 0..<rowCount {
      let values = Array(weight[row * columnCount..<(row + 1) * columnCount])
      let scale = IntegerScale(minimum: values.min() ?? 0, maximum: values.max() ?? 0)
      scales.append(scale)
      codes += values.withUnsafeBufferPointer { scale.codes(of: $0) }
    }
    let layer = try IntegerLinear(
      weight: codes, rowCount: rowCount, columnCount: columnCount,
      weightScales: scales.map(\.scale), weightZeroPoints: scales.map(\.zeroPoint), input: input,
      bias: bias)
    let inputCodes = x.withUnsafeBufferPointer { input.codes(of: $0) }
    let found = inputCodes.withUnsafeBufferPointer { layer($0, count: count) }
    var largest = 0.0
    for index in 0..<count {
      for row in 0..<rowCount {
        var exact = Double(bias[row])
        // Half a step, and a little where the ends of the range were rounded to a step.
        let (a, b) = (Double(input.scale) * 0.5001, Double(scales[row].scale) * 0.5001)
        var bound = a * b * 2
        for column in 0..<columnCount {
          let value = Double(x[index * columnCount + column])
          let factor = Double(weight[row * columnCount + column])
          exact += value * factor
          // An end that was cut is off by a whole step at most.
          bound += 2 * (abs(value) * b + abs(factor) * a + 2 * a * b)
        }
        let error = abs(Double(found[index * rowCount + row]) - exact)
        #expect(error <= bound)
        largest = max(largest, error)
      }
    }
    // Errors add up like a random walk, far below the bound, but they are there.
    #expect(largest > 1e-4 && largest < 0.1)
  }

  @Test func refusesWhatCouldOverflow() throws {
    func layer(_ columnCount: Int, _ code: Int8, zeroPoint: Int8, bias: Float = 0) throws
      -> IntegerLinear
    {
      try IntegerLinear(
        weight: [Int8](repeating: code, count: columnCount), rowCount: 1, columnCount: columnCount,
        weightScales: [1], input: IntegerScale(scale: 1, zeroPoint: zeroPoint), bias: [bias])
    }
    // 2³¹ - 1 over 128 · 127, the product of the largest weight and the input farthest from the zero-point.
    let most = Int(Int32.max) / (128 * 127)
    let largest = try layer(most, 127, zeroPoint: 0)
    let ends = [Int8](repeating: -128, count: most)
    #expect(
      ends.withUnsafeBufferPointer { largest.sums(of: $0, count: 1) } == [Int32(-128 * 127 * most)])
    #expect(throws: QuantizationError.self) { try layer(most + 1, 127, zeroPoint: 0) }
    #expect(throws: QuantizationError.self) { try layer(most, 127, zeroPoint: 1) }
    #expect(throws: QuantizationError.self) { try layer(10, 1, zeroPoint: 0, bias: 3e9) }
    #expect(throws: QuantizationError.self) { try layer(10, 1, zeroPoint: 0, bias: .nan) }
    #expect(throws: Never.self) { try layer(10, 1, zeroPoint: 0, bias: 2e9) }
  }

  @Test func refusesWrongCounts() {
    let scale = IntegerScale(scale: 1)
    func check(
      _ count: Int, _ rows: Int, _ columns: Int, scales: [Float] = [1], zeroPoints: [Int8] = [0],
      input: IntegerScale? = nil, bias: [Float]? = nil
    ) {
      #expect(throws: QuantizationError.self) {
        try IntegerLinear(
          weight: [Int8](repeating: 1, count: count), rowCount: rows, columnCount: columns,
          weightScales: scales, weightZeroPoints: zeroPoints, input: input ?? scale, bias: bias)
      }
    }
    check(5, 2, 3)
    check(0, 0, 3)
    check(6, -2, -3)
    check(6, .max, 6)
    check(6, 2, 3, scales: [])
    check(6, 2, 3, scales: [1, 1, 1])
    check(6, 2, 3, scales: [1, 0])
    check(6, 2, 3, scales: [.nan])
    check(6, 2, 3, zeroPoints: [1, 2, 3])
    check(6, 2, 3, input: IntegerScale(scale: .infinity))
    check(6, 2, 3, bias: [])
  }
}

@Suite struct IntegerConvolution2DTests {
  private func pair(_ sizes: [Int]?) -> Convolution2DShape.Pair {
    Convolution2DShape.Pair(height: sizes?.first ?? 0, width: sizes?.last ?? 0)
  }

  @Test func equalsTheReference() throws {
    let cases = try rangeFixture("integer/convolution.json", as: [LayerCase].self)
    #expect(cases.count == 8)
    for reference in cases {
      let shape = Convolution2DShape(
        inputChannels: reference.inputShape[1], outputChannels: reference.rowCount,
        kernel: pair(reference.kernel), stride: pair(reference.stride),
        padding: pair(reference.padding), dilation: pair(reference.dilation),
        groups: reference.groups ?? 0)
      let layer = try IntegerConvolution2D(
        weight: reference.weight, shape: shape, weightScales: reference.weightScales,
        weightZeroPoints: reference.weightZeroPoints, input: reference.scale, bias: reference.bias)
      let image = pair(Array(reference.inputShape[2...]))
      let batch = reference.inputShape[0]
      let output = try shape.output(for: image)
      try reference.input.withUnsafeBufferPointer { input in
        let sums = try layer.sums(of: input, batch: batch, image: image)
        #expect(sums == reference.sums, "\(reference.name)")
        reference.check(
          try layer(input, batch: batch, image: image), channelSize: output.height * output.width)
        let codes = try layer.codes(
          of: input, batch: batch, image: image, output: reference.output)
        #expect(codes == reference.codes, "\(reference.name)")
      }
    }
  }

  @Test func refusesWrongSizes() throws {
    let good = Convolution2DShape(
      inputChannels: 4, outputChannels: 2, kernel: .init(height: 3, width: 3), groups: 2)
    let scale = IntegerScale(scale: 1)
    let weight = [Int8](repeating: 1, count: 36)
    let layer = try IntegerConvolution2D(
      weight: weight, shape: good, weightScales: [1], input: scale)
    for image in [(2, 3), (3, 2), (0, 5), (-1, 5), (.max, .max)] {
      #expect(throws: QuantizationError.self) {
        try good.output(for: .init(height: image.0, width: image.1))
      }
    }
    #expect(throws: QuantizationError.self) {
      try [Int8](repeating: 0, count: 16).withUnsafeBufferPointer {
        try layer.sums(of: $0, batch: 1, image: .init(height: 2, width: 2))
      }
    }
    let changes: [(inout Convolution2DShape) -> Void] = [
      { $0.groups = 3 }, { $0.groups = 0 }, { $0.inputChannels = 6 }, { $0.outputChannels = .max },
      { $0.kernel.height = 0 }, { $0.stride.width = 0 }, { $0.dilation.height = -1 },
      { $0.padding.width = -1 }, { $0.padding.height = .max }, { $0.kernel.width = 1 << 20 },
    ]
    for change in changes {
      var shape = good
      change(&shape)
      #expect(throws: QuantizationError.self) {
        try IntegerConvolution2D(weight: weight, shape: shape, weightScales: [1], input: scale)
      }
    }
    #expect(throws: QuantizationError.self) {
      try IntegerConvolution2D(weight: weight, shape: good, weightScales: [1, 1, 1], input: scale)
    }
    #expect(throws: QuantizationError.self) {
      try IntegerConvolution2D(
        weight: weight, shape: good, weightScales: [1], input: scale, bias: [1])
    }
    var huge = good
    huge.padding = .init(height: 1 << 20, width: 1 << 20)
    #expect(throws: QuantizationError.self) { try huge.output(for: .init(height: 9, width: 9)) }
  }
}

@Suite struct FixedPointMultiplierTests {
  struct Case: Decodable {
    let factor: Double
    let mantissa: Int32
    let exponent: Int
    let values: [Int32]
    let products: [Int32]
  }

  @Test func equalsRationalArithmetic() throws {
    for reference in try rangeFixture("integer/multipliers.json", as: [Case].self) {
      let multiplier = FixedPointMultiplier(reference.factor)
      #expect(multiplier.mantissa == reference.mantissa)
      #expect(multiplier.exponent == reference.exponent)
      #expect(reference.values.map { multiplier($0) } == reference.products, "\(reference.factor)")
    }
  }

  @Test func halvesGoAwayFromZero() {
    let half = FixedPointMultiplier(0.5)
    #expect([1, -1, 3, -3, 2, -2].map { half($0) } == [1, -1, 2, -2, 1, -1])
  }
}

@Suite struct IntegerScaleTests {
  @Test func zeroIsExact() {
    for (low, high) in [(-1, 3), (0, 0), (2, 5), (-7, -1), (-3e38, 3e38), (0, 0x1p-149)]
      as [(Float, Float)]
    {
      let scale = IntegerScale(minimum: low, maximum: high)
      let values: [Float] = [0, low, high, .nan, .infinity, -.infinity]
      let codes = values.withUnsafeBufferPointer { scale.codes(of: $0) }
      let decoded = codes.withUnsafeBufferPointer { scale.values(of: $0) }
      #expect(decoded[0] == 0)
      #expect(decoded[3] == 0)
      #expect(codes[4] == 127 && codes[5] == -128)
      #expect(abs(decoded[1] - low) <= scale.scale * 1.001)
      #expect(abs(decoded[2] - high) <= scale.scale * 1.001)
    }
    #expect(IntegerScale(minimum: -1, maximum: 1.55) == IntegerScale(scale: 0.01, zeroPoint: -28))
  }

  @Test func tiesGoToEven() {
    let codes = ([0.5, 1.5, 2.5, -0.5, 200, -200] as [Float]).withUnsafeBufferPointer {
      IntegerScale(scale: 1).codes(of: $0)
    }
    #expect(codes == [0, 2, 2, 0, 127, -128])
  }
}
