internal import NibbleQuantization

/// Codes and what turns a group's codes into values, as plain numbers.
struct PlainGroups {
  /// What a group adds to its levels.
  enum Offset {
    /// Codes count from here: `(code - zero) * scale`; nil for tables of levels, which have none.
    case zeros([Int]?)
    case minima([Float])
  }

  var element: ElementFormat
  var granularity: Granularity
  var codes: [UInt8]
  /// One for each group, or its learned levels.
  var scales: [Float]
  let scalesPerGroup: Int
  var offset: Offset

  /// - Throws: ``ConversionObstacle`` for scales or minima that are not finite.
  init(_ tensor: QuantizedTensor) throws(ConversionObstacle) {
    element = tensor.scheme.element
    granularity = tensor.scheme.granularity
    if case .block(_, let sub) = granularity { granularity = .group(sub) }
    codes = tensor.codes
    scales = tensor.scales.values()
    if case .learned(let bits) = element { scalesPerGroup = 1 << bits } else { scalesPerGroup = 1 }
    let minima = tensor.offsets?.values()
    guard scales.allSatisfy(\.isFinite), minima?.allSatisfy(\.isFinite) ?? true else {
      throw ConversionObstacle("a scale or minimum is not a finite number")
    }
    let count = scales.count / scalesPerGroup
    let isSigned: Bool
    switch element {
    case .int: isSigned = true
    case .uint: isSigned = false
    case .codebook, .learned:
      offset = .zeros(nil)
      guard minima == nil, tensor.zeroPoints == nil else {
        throw ConversionObstacle("\(tensor.scheme) adds something to a table of levels")
      }
      return
    }
    if let minima {
      guard !isSigned else {
        throw ConversionObstacle("\(tensor.scheme) adds minima to signed integers")
      }
      offset = .minima(minima)
    } else if let zeroPoints = tensor.zeroPoints {
      let middle = isSigned ? 1 << (element.bitCount - 1) : 0
      offset = .zeros(zeroPoints.map { Int($0) + middle })
    } else {
      let middle = isSigned ? 1 << (element.bitCount - 1) : 0
      offset = .zeros([Int](repeating: middle, count: count))
    }
  }

  // MARK: - Groups

  /// The same values in the groups of another scheme: scales are repeated where groups are cut, and groups are merged where
  /// they agree bit for bit.
  func regrouped(
    as target: Scheme, rowCount: Int, columnCount: Int
  ) throws(ConversionObstacle) -> PlainGroups {
    if target.granularity == granularity { return self }
    if case .block = target.granularity {
      throw ConversionObstacle("the nested scales of \(target) are searched, not converted")
    }
    let old = GroupRuns(granularity, columnCount: columnCount)
    let new = GroupRuns(target.granularity, columnCount: columnCount)
    let count = target.granularity.groupCount(rowCount: rowCount, columnCount: columnCount)
    var origins = [Int](repeating: -1, count: count)
    for row in 0..<rowCount {
      for run in 0..<new.perRow {
        let group = new.group(row: row, run: run)
        for part in old.runs(new.columns(run)) {
          let origin = old.group(row: row, run: part)
          if origins[group] < 0 {
            origins[group] = origin
          } else if origins[group] != origin, !agree(origins[group], origin) {
            throw ConversionObstacle(
              "the groups of \(target) hold several scales: row \(row), columns from "
                + "\(new.columns(run).lowerBound)")
          }
        }
      }
    }
    var result = self
    result.granularity = target.granularity
    result.scales = origins.flatMap { origin in
      scales[origin * scalesPerGroup..<(origin + 1) * scalesPerGroup]
    }
    switch offset {
    case .zeros(let zeros):
      result.offset = .zeros(zeros.map { zeros in origins.map { zeros[$0] } })
    case .minima(let minima): result.offset = .minima(origins.map { minima[$0] })
    }
    return result
  }

  /// Whether two groups turn codes into the same values.
  private func agree(_ left: Int, _ right: Int) -> Bool {
    for index in 0..<scalesPerGroup
    where scales[left * scalesPerGroup + index].bitPattern
      != scales[right * scalesPerGroup + index].bitPattern
    { return false }
    switch offset {
    case .zeros(let zeros): return zeros.map { $0[left] == $0[right] } ?? true
    case .minima(let minima): return minima[left].bitPattern == minima[right].bitPattern
    }
  }

  // MARK: - Values

  /// The values of some rows, `[rows.count, columnCount]`, in the order of the weights' columns.
  func values(
    of tensor: QuantizedTensor, rows: Range<Int>
  ) throws(ConversionObstacle) -> [Float] {
    let runs = GroupRuns(granularity, columnCount: tensor.columnCount)
    let groups = runs.groups(rows)
    var scheme = Scheme(element: element, granularity: granularity, scale: .float32)
    scheme.hasColumnOrder = tensor.scheme.hasColumnOrder
    var minima: ScaleTree?
    var zeroPoints: [UInt8]?
    switch tensor.scheme.offset {
    case .none: break
    case .zeroPoint(let bits):
      scheme.offset = .zeroPoint(bits: bits)
      zeroPoints = tensor.zeroPoints.map { Array($0[groups]) }
    case .minimum:
      scheme.offset = .minimum(.float32)
      if case .minima(let values) = offset { minima = .float32(Array(values[groups])) }
    }
    let places = groups.lowerBound * scalesPerGroup..<groups.upperBound * scalesPerGroup
    let elements = rows.lowerBound * tensor.columnCount..<rows.upperBound * tensor.columnCount
    do {
      return try QuantizedTensor(
        rowCount: rows.count, columnCount: tensor.columnCount, scheme: scheme,
        codes: Array(codes[elements]), scales: .float32(Array(scales[places])), offsets: minima,
        zeroPoints: zeroPoints, columnOrder: tensor.columnOrder
      ).dequantized()
    } catch {
      throw ConversionObstacle(error.message)
    }
  }
}
