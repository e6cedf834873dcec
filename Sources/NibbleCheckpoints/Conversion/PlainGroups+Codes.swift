internal import NibbleQuantization

extension PlainGroups {
  /// The same values with the element and kind of offset of another scheme, of the same granularity.
  ///
  /// Codes and zeros of a group are shifted by one number where the target needs it: the nearest to none that lets them fit.
  /// Minima that are no whole number of scales become the nearest zero points.
  ///
  /// - Returns: the groups, and what was added to the codes of each; nothing where all codes are what they were.
  func shifted(
    to target: Scheme, rowCount: Int, columnCount: Int
  ) throws(ConversionObstacle) -> (groups: PlainGroups, shifts: [Int]) {
    let isSigned: Bool
    switch (element, target.element) {
    case (.int, .int(let bits)) where bits <= 8, (.uint, .int(let bits)) where bits <= 8:
      isSigned = true
    case (.int, .uint(let bits)) where bits <= 8, (.uint, .uint(let bits)) where bits <= 8:
      isSigned = false
    default:
      guard element == target.element, target.offset == .none else {
        throw ConversionObstacle("the levels of \(target) are others")
      }
      return (self, [])
    }
    if isSigned, target.offset != .none {
      throw ConversionObstacle("\(target) adds something to signed integers")
    }
    var result = self
    result.element = target.element
    let zeros: [Int]
    switch (offset, target.offset) {
    case (.minima(let minima), .minimum):
      let shifts = try shifts(
        target, rowCount, columnCount, zeros: nil, within: Int.min / 2...Int.max / 2)
      result.offset = .minima(
        shifts.isEmpty ? minima : zip(minima, zip(scales, shifts)).map { $0 - $1.0 * Float($1.1) })
      result.move(shifts, rowCount, columnCount)
      return (result, shifts)
    case (.minima(let minima), _):
      var found: [Int] = []
      found.reserveCapacity(minima.count)
      for (scale, minimum) in zip(scales, minima) {
        found.append(try Self.zero(scale: scale, minimum: minimum, target))
      }
      zeros = found
    case (.zeros(let known), _): zeros = known ?? []
    }
    var allowed = Int.min / 2...Int.max / 2
    switch target.offset {
    case .none:
      let middle = isSigned ? 1 << (target.element.bitCount - 1) : 0
      allowed = middle...middle
    case .zeroPoint(let bits): allowed = 0...(1 << min(bits, 8)) - 1
    case .minimum: break
    }
    let shifts = try shifts(target, rowCount, columnCount, zeros: zeros, within: allowed)
    let moved = shifts.isEmpty ? zeros : zip(zeros, shifts).map { $0 + $1 }
    if case .minimum = target.offset {
      result.offset = .minima(zip(moved, scales).map { $0 == 0 ? 0 : -Float($0) * $1 })
    } else {
      result.offset = .zeros(moved)
    }
    result.move(shifts, rowCount, columnCount)
    return (result, shifts)
  }

  /// The zero nearest to a minimum.
  private static func zero(
    scale: Float, minimum: Float, _ target: Scheme
  ) throws(ConversionObstacle) -> Int {
    if minimum == 0 { return 0 }
    let zero = -(minimum / scale)
    guard zero.magnitude < 0x1p20 else {
      throw ConversionObstacle(
        "the minimum \(minimum) is too many scales of \(scale) for \(target)")
    }
    return Int(zero.rounded(.toNearestOrEven))
  }

  /// What is added to the codes of each group so that they and their zeros fit; empty where nothing is.
  private func shifts(
    _ target: Scheme, _ rowCount: Int, _ columnCount: Int, zeros: [Int]?,
    within allowed: ClosedRange<Int>
  ) throws(ConversionObstacle) -> [Int] {
    let largestCode = 1 << target.element.bitCount - 1
    let zerosFit = zeros?.allSatisfy(allowed.contains) ?? true
    if element.bitCount <= target.element.bitCount, zerosFit { return [] }
    var ranges = [CodeRange](repeating: CodeRange(), count: scales.count)
    var shifts = [Int](repeating: 0, count: scales.count)
    func settle(_ group: Int) throws(ConversionObstacle) {
      let range = ranges[group]
      guard range.lowest <= range.highest else { return }
      let zero = zeros?[group] ?? 0
      let least = max(-Int(range.lowest), allowed.lowerBound - zero)
      let most = min(largestCode - Int(range.highest), allowed.upperBound - zero)
      guard least <= most else {
        throw ConversionObstacle(
          "group \(group) has levels from \(Int(range.lowest) - zero) to "
            + "\(Int(range.highest) - zero), and \(target) does not")
      }
      shifts[group] = min(max(0, least), most)
    }
    let runs = GroupRuns(granularity, columnCount: columnCount)
    for row in 0..<rowCount {
      for run in 0..<runs.perRow {
        let group = runs.group(row: row, run: run)
        let columns = runs.columns(run)
        let first = row * columnCount
        ranges[group].widen(codes, first + columns.lowerBound..<first + columns.upperBound)
        if granularity.isRowLocal { try settle(group) }
      }
    }
    if !granularity.isRowLocal {
      for group in ranges.indices { try settle(group) }
    }
    return shifts.contains { $0 != 0 } ? shifts : []
  }

  /// Adds a number to the codes of each group.
  private mutating func move(_ shifts: [Int], _ rowCount: Int, _ columnCount: Int) {
    guard !shifts.isEmpty else { return }
    let runs = GroupRuns(granularity, columnCount: columnCount)
    codes.withUnsafeMutableBufferPointer { codes in
      for row in 0..<rowCount {
        for run in 0..<runs.perRow {
          let shift = shifts[runs.group(row: row, run: run)]
          guard shift != 0 else { continue }
          let added = UInt8(truncatingIfNeeded: shift)
          for column in runs.columns(run) { codes[row * columnCount + column] &+= added }
        }
      }
    }
  }
}

/// The codes that a group has.
private struct CodeRange {
  var lowest = UInt8.max
  var highest = UInt8.min

  mutating func widen(_ codes: [UInt8], _ places: Range<Int>) {
    codes.withUnsafeBufferPointer { codes in
      var (low, high) = (lowest, highest)
      for place in places {
        low = min(low, codes[place])
        high = max(high, codes[place])
      }
      (lowest, highest) = (low, high)
    }
  }
}
