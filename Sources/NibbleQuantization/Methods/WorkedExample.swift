/// A few values quantized as one row, with all numbers on the way.
public struct WorkedExample: Sendable {
  /// A way to find codes that can be walked through.
  public enum Method: String, CaseIterable, Sendable {
    case absmax, minmax, percentile, mse, kl, kmeans, nf4, fp4, mxfp4, hqq
    case zeroPoint = "zero-point"
    case doubleQuantization = "double-quantization"

    /// The scheme that shows the method best on few values, by its name.
    public var usualSchemeName: String {
      switch self {
      case .absmax, .kl: "int8-tensor-sym-f32"
      case .zeroPoint: "int8-tensor-asym-f32"
      case .minmax: "int8-tensor-min-f32"
      case .percentile, .mse: "int4-tensor-sym-f32"
      case .hqq: "int4-tensor-min-f32"
      case .kmeans: "kmeans2-tensor-f32"
      case .nf4: "nf4-g64"
      case .fp4: "fp4-g64"
      case .mxfp4: "mxfp4"
      case .doubleQuantization: "nf4-g4-dq"
      }
    }

    /// The range estimator that the method names; nil where its scheme's own serves.
    func range(_ name: String) -> (any RangeEstimator)? {
      switch self {
      case .absmax, .minmax, .percentile, .mse, .kl, .hqq: RangeRegistry.find(name)
      case .zeroPoint, .kmeans, .nf4, .fp4, .mxfp4, .doubleQuantization: nil
      }
    }
  }

  /// One value on its way.
  public struct Step: Sendable {
    public let value: Float
    /// The run of values that share a scale.
    public let group: Int
    public let code: Int
    /// What the code stands for, before scale and offset.
    public let level: Float
    /// What is read back.
    public let stored: Float
    public var error: Float { stored - value }
  }

  public let method: Method
  /// The result, a matrix of one row.
  public let tensor: QuantizedTensor
  public let steps: [Step]
  /// The range estimator's name; nil for learned levels.
  public let rangeName: String?
  /// The smallest and the largest value.
  public let extremes: ClosedRange<Float>
  /// The mean of the squared errors.
  public let meanSquaredError: Double
  /// The same with the scheme's usual range, which clips nothing; nil where that is the method's.
  public let usualMeanSquaredError: Double?

  /// Quantizes `values` by round-to-nearest.
  ///
  /// - Parameters:
  ///   - name: a method, "percentile" perhaps with the share of values that are not clipped: "percentile=90".
  ///   - values: finite, at least one.
  ///   - scheme: what to store; nil for the method's usual one.
  /// - Throws: ``QuantizationError`` for an unknown method, no values, values that are not finite, and a scheme that
  ///   does not fit the method or the values.
  public init(
    method name: String, values: [Float], scheme: Scheme? = nil
  ) throws(QuantizationError) {
    let word = name.lowercased()
    guard let method = Method(rawValue: String(word.prefix { $0 != "=" })),
      word == method.rawValue || method.range(word) != nil
    else {
      let known = Method.allCases.map(\.rawValue).joined(separator: " ")
      throw QuantizationError(.unsupported, "\(name) is no method; there are \(known)")
    }
    guard let low = values.min(), let high = values.max(), values.allSatisfy(\.isFinite) else {
      throw QuantizationError(.invalidValue, "there must be one value or more, all of them finite")
    }
    guard let scheme = scheme ?? Scheme(name: method.usualSchemeName) else {
      throw QuantizationError(.unsupported, "no scheme for \(name)")
    }
    try method.check(scheme)
    let range = method.range(word)
    self.method = method
    tensor = try Self.quantize(values, scheme, range)
    let stored = tensor.dequantized()
    steps = try Self.steps(values, stored, tensor)
    extremes = low...high
    meanSquaredError = Self.meanSquare(values, stored)
    if case .learned = scheme.element {
      rangeName = nil
      usualMeanSquaredError = nil
    } else {
      let name = (range ?? scheme.usualRange).name
      rangeName = name
      let usual = name == scheme.usualRange.name ? nil : try Self.quantize(values, scheme, nil)
      usualMeanSquaredError = usual.map { Self.meanSquare(values, $0.dequantized()) }
    }
  }

  private static func quantize(
    _ values: [Float], _ scheme: Scheme, _ range: (any RangeEstimator)?
  ) throws(QuantizationError) -> QuantizedTensor {
    let method = RoundToNearest(range: range ?? scheme.usualRange)
    let result = values.withUnsafeBufferPointer { source in
      Result { () throws(QuantizationError) in
        try method.quantize(source, rowCount: 1, columnCount: values.count, as: scheme)
      }
    }
    return try result.get()
  }

  private static func steps(
    _ values: [Float], _ stored: [Float], _ tensor: QuantizedTensor
  ) throws(QuantizationError) -> [Step] {
    let groups = try Groups(tensor.scheme, rowCount: 1, columnCount: values.count)
    let perGroup = tensor.scheme.scalesPerGroup
    let levels = perGroup == 1 ? tensor.scheme.element.levels : tensor.scales.values()
    return (0..<groups.count).flatMap { group in
      groups.range(group).map { index in
        let code = Int(tensor.codes[index])
        return Step(
          value: values[index], group: group, code: code,
          level: levels[perGroup == 1 ? code : group * perGroup + code], stored: stored[index])
      }
    }
  }

  private static func meanSquare(_ values: [Float], _ stored: [Float]) -> Double {
    zip(values, stored).reduce(0) { sum, pair in
      let error = Double(pair.1) - Double(pair.0)
      return sum + error * error
    } / Double(values.count)
  }
}

extension WorkedExample.Method {
  /// Whether a scheme is of the kind that the method is about.
  fileprivate func check(_ scheme: Scheme) throws(QuantizationError) {
    let isLearned = if case .learned = scheme.element { true } else { false }
    let fits =
      switch self {
      case .absmax, .percentile, .mse, .kl: !isLearned
      case .minmax, .hqq: !isLearned && scheme.offset != .none
      case .zeroPoint: if case .zeroPoint = scheme.offset { true } else { false }
      case .kmeans: isLearned
      case .nf4: scheme.element == .codebook(.nf4)
      case .fp4: scheme.element == .codebook(.fp4)
      case .mxfp4: scheme.element == .codebook(.e2m1) && scheme.scale == .e8m0
      case .doubleQuantization: scheme.scale == .doubleQuantized
      }
    guard fits, !scheme.hasNestedScales else {
      throw QuantizationError(.unsupported, "\(rawValue) does not go with the scheme \(scheme)")
    }
  }
}
