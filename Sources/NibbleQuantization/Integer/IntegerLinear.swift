/// A linear layer on 8-bit codes with 32-bit sums.
///
/// With inputs `S_x (x - Z_x)` and weights `S_w (w - Z_w)`, row by row, the output is `S_x S_w` times
///
///     Σ (x - Z_x) (w - Z_w) + bias = Σ x w - Z_w Σ x - Z_x Σ w + n Z_x Z_w + bias
///
/// where the last three terms are known beforehand (Jacob et al. 2018, arXiv:1712.05877, sections 2.3 and 2.4). The
/// bias is rounded to 32 bits in steps of `S_x S_w`. Sums are exact: layers whose sums could overflow are refused.
public struct IntegerLinear: Sendable {
  /// Output features.
  public let rowCount: Int
  /// Input features.
  public let columnCount: Int
  /// How input codes stand for values.
  public let input: IntegerScale
  /// The value of one step of each row's sum, `S_x S_w`.
  public let outputSteps: [Double]
  private let weight: [Int8]
  private let zeroPoints: [Int32]
  /// `bias - Z_x Σ w + n Z_x Z_w` of each row; it may wrap around, as sums may on their way to a result that fits.
  private let constants: [Int32]

  /// Prepares a layer.
  ///
  /// - Parameters:
  ///   - weight: codes `[rowCount, columnCount]`, row-major.
  ///   - rowCount: output features, > 0.
  ///   - columnCount: input features, > 0.
  ///   - weightScales: one scale, or one for each row; finite and > 0.
  ///   - weightZeroPoints: one zero-point, or one for each row.
  ///   - input: the scale and zero-point of the inputs.
  ///   - bias: a value for each row, or nil.
  /// - Throws: ``QuantizationError/Code/shape`` when counts do not fit each other, or a row's sum could exceed 32 bits:
  ///   `max |x - Z_x| · Σ |w - Z_w| + |bias| > 2³¹ - 1`; ``QuantizationError/Code/malformed`` when a scale is not
  ///   finite and > 0, or a bias not finite.
  public init(
    weight: [Int8], rowCount: Int, columnCount: Int, weightScales: [Float],
    weightZeroPoints: [Int8] = [0], input: IntegerScale, bias: [Float]? = nil
  ) throws(QuantizationError) {
    let (count, isTooLarge) = rowCount.multipliedReportingOverflow(by: columnCount)
    guard rowCount > 0, columnCount > 0, !isTooLarge, weight.count == count else {
      throw QuantizationError(
        .shape, "\(weight.count) weights are no matrix of \(rowCount) x \(columnCount)")
    }
    let scales = try Self.expanded(weightScales, rowCount, "scales")
    let zeroPoints = try Self.expanded(weightZeroPoints, rowCount, "zero-points").map(Int64.init)
    guard input.scale > 0, input.scale.isFinite, scales.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      throw QuantizationError(.malformed, "scales have to be finite and greater than 0")
    }
    let biases = try Self.expanded(bias ?? [0], rowCount, "biases")
    let outputSteps = scales.map { Double(input.scale) * Double($0) }
    let zeroPoint = Int64(input.zeroPoint)
    let largestInput = max(127 - zeroPoint, zeroPoint + 128)
    var constants: [Int32] = []
    for row in 0..<rowCount {
      let codes = weight[row * columnCount..<(row + 1) * columnCount]
      let bias = (Double(biases[row]) / outputSteps[row]).rounded()
      guard bias.isFinite else {
        throw QuantizationError(.malformed, "the bias of row \(row) is not finite")
      }
      let sum = codes.reduce(0) { $0 + Int64($1) }
      let magnitudes = codes.reduce(0) { $0 + abs(Int64($1) - zeroPoints[row]) }
      let reach = Double(magnitudes * largestInput) + abs(bias)
      guard reach <= Double(Int32.max) else {
        throw QuantizationError(
          .shape,
          "the sum of row \(row) may reach \(reach), and 32 bits hold \(Int32.max) at most")
      }
      constants.append(
        Int32(
          truncatingIfNeeded: Int64(bias) - zeroPoint * sum
            + Int64(columnCount) * zeroPoint * zeroPoints[row]))
    }
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.input = input
    self.outputSteps = outputSteps
    self.weight = weight
    self.zeroPoints = zeroPoints.map(Int32.init)
    self.constants = constants
  }

  private static func expanded<Element>(
    _ values: [Element], _ rowCount: Int, _ name: String
  ) throws(QuantizationError) -> [Element] {
    guard values.count == 1 || values.count == rowCount else {
      throw QuantizationError(.shape, "\(values.count) \(name) for \(rowCount) rows")
    }
    return values.count == rowCount ? values : Array(repeating: values[0], count: rowCount)
  }

  /// The sums `[count, rowCount]` in steps of ``outputSteps``, bias included; exact.
  ///
  /// - Parameters:
  ///   - codes: `[count, columnCount]`, row-major.
  ///   - count: the number of inputs.
  /// - Returns: one sum for each input and row.
  public func sums(of codes: UnsafeBufferPointer<Int8>, count: Int) -> [Int32] {
    precondition(codes.count == count * columnCount, "inputs have as many features as columns")
    return [Int32](unsafeUninitializedCapacity: count * rowCount) { sums, written in
      written = count * rowCount
      weight.withUnsafeBufferPointer { weight in
        for index in 0..<count {
          let x = UnsafeBufferPointer(
            rebasing: codes[index * columnCount..<(index + 1) * columnCount])
          var inputSum: Int32 = 0
          for code in x { inputSum &+= Int32(code) }
          for row in 0..<rowCount {
            let w = UnsafeBufferPointer(
              rebasing: weight[row * columnCount..<(row + 1) * columnCount])
            sums[index * rowCount + row] =
              Self.dot(x, w) &- zeroPoints[row] &* inputSum &+ constants[row]
          }
        }
      }
    }
  }

  /// The outputs `[count, rowCount]` as values: the exact sum times its step, rounded once.
  public func callAsFunction(_ codes: UnsafeBufferPointer<Int8>, count: Int) -> [Float] {
    let sums = sums(of: codes, count: count)
    return sums.indices.map { Float(Double(sums[$0]) * outputSteps[$0 % rowCount]) }
  }

  /// The outputs `[count, rowCount]` as codes, by integer arithmetic alone.
  ///
  /// - Parameters:
  ///   - codes: `[count, columnCount]`, row-major.
  ///   - count: the number of inputs.
  ///   - output: the scale (finite, > 0) and zero-point of the outputs.
  ///   - range: codes outside are cut; from the zero-point upward it is a rectifier.
  /// - Returns: the codes.
  public func codes(
    of codes: UnsafeBufferPointer<Int8>, count: Int, output: IntegerScale,
    within range: ClosedRange<Int8> = -128...127
  ) -> [Int8] {
    let requantizers = requantizers(output: output, within: range)
    let sums = sums(of: codes, count: count)
    return sums.indices.map { requantizers[$0 % rowCount](sums[$0]) }
  }

  /// What turns each row's sums into codes.
  func requantizers(output: IntegerScale, within range: ClosedRange<Int8>) -> [Requantizer] {
    precondition(output.scale > 0 && output.scale.isFinite)
    return outputSteps.map {
      Requantizer(
        multiplier: FixedPointMultiplier($0 / Double(output.scale)),
        zeroPoint: Int64(output.zeroPoint), range: Int64(range.lowerBound)...Int64(range.upperBound)
      )
    }
  }

  /// Wrapping arithmetic: a sum that fits in the end is right whatever it passes on its way.
  private static func dot(_ x: UnsafeBufferPointer<Int8>, _ w: UnsafeBufferPointer<Int8>) -> Int32 {
    var sum: Int32 = 0
    for index in x.indices { sum &+= Int32(x[index]) &* Int32(w[index]) }
    return sum
  }
}

/// Scales a sum to the step of the output, adds the zero-point and cuts.
struct Requantizer: Sendable {
  let multiplier: FixedPointMultiplier
  let zeroPoint: Int64
  let range: ClosedRange<Int64>

  func callAsFunction(_ sum: Int32) -> Int8 {
    let code = Int64(multiplier(sum)) + zeroPoint
    return Int8(truncatingIfNeeded: min(max(code, range.lowerBound), range.upperBound))
  }
}
