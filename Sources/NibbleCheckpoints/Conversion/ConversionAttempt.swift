internal import NibbleQuantization

/// A tensor stored as another scheme, and how to find what that costs.
struct ConversionAttempt {
  /// The tensor in the other scheme.
  let tensor: QuantizedTensor
  private let original: QuantizedTensor
  private let source: PlainGroups
  private let result: PlainGroups
  /// Whether each group's codes stand for the same values as before, so that no value need be compared.
  let hasEqualLevels: Bool

  /// Elements that are compared at a time.
  private static let comparedElementCount = 1 << 20

  /// - Throws: ``ConversionObstacle`` for levels that the scheme does not have.
  init(_ original: QuantizedTensor, _ target: Scheme) throws(ConversionObstacle) {
    self.original = original
    source = try PlainGroups(original)
    let regrouped = try source.regrouped(
      as: target, rowCount: original.rowCount, columnCount: original.columnCount)
    let moved = try regrouped.shifted(
      to: target, rowCount: original.rowCount, columnCount: original.columnCount)
    tensor = try moved.groups.stored(as: target, of: original)
    result = try PlainGroups(tensor)
    hasEqualLevels = result.hasLevels(of: regrouped, shiftedBy: moved.shifts)
  }

  /// How far the values are from what they were.
  ///
  /// - Parameter isExactnessAll: whether to stop at the first rows that differ, whatever comes after them.
  /// - Returns: the largest differences.
  /// - Throws: ``ConversionObstacle`` for parts that do not fit each other.
  func loss(isExactnessAll: Bool) throws(ConversionObstacle) -> ConversionLoss {
    let columnCount = original.columnCount
    var loss = ConversionLoss(absolute: 0, relative: 0)
    guard columnCount > 0 else { return loss }
    var first = 0
    var step = isExactnessAll ? 1 : max(1, Self.comparedElementCount / columnCount)
    while first < original.rowCount, !isExactnessAll || loss.absolute == 0 {
      let rows = first..<min(first + step, original.rowCount)
      let before = try source.values(of: original, rows: rows)
      let after = try result.values(of: tensor, rows: rows)
      loss.add(before, after, columnCount: columnCount)
      first = rows.upperBound
      step = min(4 * step, max(1, Self.comparedElementCount / columnCount))
    }
    return loss
  }
}

extension ConversionLoss {
  /// Takes rows of `columnCount` values and what they became.
  fileprivate mutating func add(_ before: [Float], _ after: [Float], columnCount: Int) {
    before.withUnsafeBufferPointer { before in
      after.withUnsafeBufferPointer { after in
        for first in stride(from: 0, to: before.count, by: columnCount) {
          var (largest, difference): (Float, Float) = (0, 0)
          for index in first..<first + columnCount {
            let magnitude = abs(before[index])
            if magnitude > largest { largest = magnitude }
            let distance = abs(before[index] - after[index])
            // Not a number is as far as can be.
            if !(distance <= difference) { difference = distance.isNaN ? .infinity : distance }
          }
          guard difference > 0 else { continue }
          absolute = max(absolute, difference)
          relative = max(relative, largest > 0 ? difference / largest : .infinity)
        }
      }
    }
  }
}

extension PlainGroups {
  /// More levels than this are not compared one by one: there are about as many values.
  private static let comparedBitCount = 6

  /// Whether codes stand for the same values as those of `other`, to which `shifts` (one a group, or none) were added.
  ///
  /// - Returns: false too where it would take long to say.
  fileprivate func hasLevels(of other: PlainGroups, shiftedBy shifts: [Int]) -> Bool {
    guard granularity == other.granularity, scales.count == other.scales.count else { return false }
    let hasEqualScales = zip(scales, other.scales).allSatisfy { $0.bitPattern == $1.bitPattern }
    switch (offset, other.offset) {
    case (.zeros(nil), .zeros(nil)): return hasEqualScales
    case (.zeros(let zeros?), .zeros(let others?)):
      guard hasEqualScales, zeros.count == others.count else { return false }
      if shifts.isEmpty { return zeros == others }
      return zeros.indices.allSatisfy { zeros[$0] == others[$0] + shifts[$0] }
    case (.zeros(let zeros?), .minima(let minima)):
      if shifts.isEmpty, hasEqualScales, areProducts(minima, zeros) { return true }
    case (.minima(let minima), .zeros(let zeros?)):
      if shifts.isEmpty, hasEqualScales, areProducts(minima, zeros) { return true }
    default: break
    }
    guard scalesPerGroup == 1, other.element.bitCount <= Self.comparedBitCount else { return false }
    let largest = 1 << other.element.bitCount - 1
    for group in scales.indices {
      let shift = shifts.isEmpty ? 0 : shifts[group]
      for code in 0...largest where level(code + shift, group) != other.level(code, group) {
        return false
      }
    }
    return true
  }

  /// Whether each minimum is exactly `-zero * scale` of few enough bits that no code's value is rounded either way.
  private func areProducts(_ minima: [Float], _ zeros: [Int]) -> Bool {
    let most = 1 << element.bitCount
    let lowBits = UInt32(most - 1)
    for (scale, (minimum, zero)) in zip(scales, zip(minima, zeros)) {
      if scale == 0, minimum == 0 { continue }
      guard scale.isNormal, abs(scale.exponent) < 100, scale.significandBitPattern & lowBits == 0,
        abs(zero) <= most, Double(minimum) == -Double(zero) * Double(scale)
      else { return false }
    }
    return true
  }

  /// What a code stands for in a group of integers, rounded as ``QuantizedTensor/dequantized()`` does.
  private func level(_ code: Int, _ group: Int) -> Float {
    switch offset {
    case .zeros(let zeros): (Float(code) - Float(zeros?[group] ?? 0)) * scales[group]
    case .minima(let minima): Float(code) * scales[group] + minima[group]
    }
  }
}
