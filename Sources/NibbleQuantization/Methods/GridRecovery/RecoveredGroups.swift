/// The codes, scales and offsets of a tensor while groups of it are replaced.
struct RecoveredGroups {
  private let plain: QuantizedTensor
  private let groups: Groups
  private let rounding: NumberRounding
  private let expander: GroupExpander
  private let scalesPerGroup: Int
  /// In the order of the groups: of the transposed matrix where these run along columns.
  var codes: [UInt8]
  /// As numbers; of nested ones, products.
  var scales: [Float]
  var minima: [Float]?
  var zeroPoints: [UInt8]?
  /// The integers and halves of nested scales and minima; nil for others.
  var nestedScales: NestedNumbers?
  var nestedMinima: NestedNumbers?

  /// Integers, as they are stored, and the numbers that they multiply.
  struct NestedNumbers {
    var integers: [UInt8]
    var parents: [Float]

    init?(_ tree: ScaleTree?) {
      guard case .integer(let codes, _, _, let parent) = tree else { return nil }
      integers = codes
      parents = parent.values()
    }
  }

  init(_ plain: QuantizedTensor, _ groups: Groups, _ rounding: NumberRounding) {
    self.plain = plain
    self.groups = groups
    self.rounding = rounding
    expander = GroupExpander(plain.scheme.element)
    scalesPerGroup = plain.scheme.scalesPerGroup
    codes =
      groups.isTransposed
      ? plain.codes.withUnsafeBufferPointer {
        transposed($0, rowCount: groups.rowCount, columnCount: groups.columnCount)
      } : plain.codes
    scales = plain.scales.values()
    minima = plain.offsets?.values()
    zeroPoints = plain.zeroPoints
    nestedScales = NestedNumbers(plain.scales)
    nestedMinima = NestedNumbers(plain.offsets)
  }

  /// The groups whose decoded values, rounded, are not the weights.
  func faultyGroups(_ weights: GroupedWeights) -> [Int] {
    (0..<groups.count).filter { deviation($0, weights) > 0 }
  }

  /// Gives zeros the code of their sign, in tables that have two zeros.
  ///
  /// - Returns: whether a code has changed.
  mutating func signZeros(_ weights: GroupedWeights) -> Bool {
    guard case .codebook(let book) = plain.scheme.element else { return false }
    let levels = book.levels
    guard let negative = levels.firstIndex(of: 0), negative + 1 < levels.count,
      levels[negative + 1] == 0
    else { return false }
    let codesOfZero = (UInt8(negative), UInt8(negative + 1))
    var hasChanged = false
    for group in 0..<groups.count {
      let place = groups.range(group)
      let isReversed = scales[group].sign == .minus
      for (index, value) in weights.values(place).enumerated() where value == 0 {
        let old = codes[place.lowerBound + index]
        guard old == codesOfZero.0 || old == codesOfZero.1 else { continue }
        let new = (value.sign == .minus) != isReversed ? codesOfZero.0 : codesOfZero.1
        if new != old {
          codes[place.lowerBound + index] = new
          hasChanged = true
        }
      }
    }
    return hasChanged
  }

  /// Counts the groups that are exact, those outside of `faulty` being so.
  func report(_ weights: GroupedWeights, _ faulty: [Int]) -> GridReport {
    var report = GridReport()
    report.groupCount = groups.count
    report.exactGroupCount = groups.count - faulty.count
    for group in faulty {
      let deviation = deviation(group, weights)
      if deviation == 0 { report.exactGroupCount += 1 }
      report.largestDeviation = max(report.largestDeviation, deviation)
    }
    return report
  }

  /// The largest difference of a group's value, relative to its largest magnitude; 0 when all are the same.
  private func deviation(_ group: Int, _ weights: GroupedWeights) -> Float {
    let place = groups.range(group)
    let values = weights.values(place)
    return withUnsafeTemporaryAllocation(of: Float.self, capacity: place.count) { decoded in
      codes.withUnsafeBufferPointer { codes in
        scales.withUnsafeBufferPointer { scales in
          guard let source = codes.baseAddress, let scale = scales.baseAddress,
            let target = decoded.baseAddress
          else { return }
          expander.expand(
            source + place.lowerBound, count: place.count, scales: scale + group * scalesPerGroup,
            minimum: minima?[group], zeroPoint: zeroPoints?[group] ?? 0, into: target)
        }
      }
      rounding.round(decoded)
      var (largest, difference): (Float, Float) = (0, 0)
      for (value, other) in zip(values, decoded) {
        let magnitude = abs(value)
        if magnitude > largest { largest = magnitude }
        let distance = abs(value - other)
        if !(distance <= difference) { difference = distance.isNaN ? .infinity : distance }
      }
      return difference == 0 ? 0 : largest > 0 ? difference / largest : .infinity
    }
  }

  /// The tensor of what the groups are now.
  func tensor(_ weights: GroupedWeights) throws(QuantizationError) -> QuantizedTensor {
    let scheme = plain.scheme
    var offsets: ScaleTree?
    if case .minimum(let format) = scheme.offset, let minima {
      offsets = tree(format, minima, nestedMinima)
    }
    return try QuantizedTensor(
      rowCount: plain.rowCount, columnCount: plain.columnCount, scheme: scheme,
      codes: weights.upright(codes), scales: tree(scheme.scale, scales, nestedScales),
      offsets: offsets, zeroPoints: zeroPoints)
  }

  private func tree(
    _ format: ScaleFormat, _ values: [Float], _ nested: NestedNumbers?
  ) -> ScaleTree {
    switch format {
    case .e4m3, .doubleQuantized: return plain.scales
    case .integer(let bits, let isSigned, let parent):
      guard let nested else { return plain.scales }
      return .integer(
        codes: nested.integers, bits: bits, isSigned: isSigned,
        parent: ScaleTree(nested.parents, as: parent, tensorScale: 1))
    default: return ScaleTree(values, as: format, tensorScale: 1)
    }
  }
}
