/// Recovers blocks whose groups' scales are integers times a number of the block.
struct NestedGridSearch {
  private enum Kind {
    case levels(NestedScaleSearch, LevelSet, bias: Int)
    case minimum(NestedMinimumSearch, top: Int)
  }

  private let rounding: NumberRounding
  private let kind: Kind
  /// Groups of a block.
  private let partCount: Int

  /// - Returns: nil for schemes that no block type of GGUF has.
  init?(_ scheme: Scheme, _ rounding: NumberRounding) {
    self.rounding = rounding
    guard case .block(let length, let sub) = scheme.granularity,
      case .integer(let bits, let isSigned, let parent) = scheme.scale
    else { return nil }
    partCount = length / sub
    switch (scheme.offset, scheme.element) {
    case (.none, _):
      guard isSigned, let levels = LevelSet(scheme) else { return nil }
      kind = .levels(
        NestedScaleSearch(levels, rounding, bits: bits, over: parent), levels,
        bias: 1 << (bits - 1))
    case (.minimum(scheme.scale), .uint(let elementBits)) where !isSigned:
      let top = 1 << elementBits - 1
      kind = .minimum(
        NestedMinimumSearch(top: top, rounding, bits: bits, over: parent), top: top)
    default: return nil
    }
  }

  /// Replaces those blocks of the groups that lie on a grid.
  func run(
    _ faulty: [Int], _ weights: GroupedWeights, _ groups: Groups, _ grid: inout RecoveredGroups
  ) {
    var last = -1
    for group in faulty where group / partCount != last {
      last = group / partCount
      recover(last, weights, groups, &grid)
    }
  }

  private func recover(
    _ block: Int, _ weights: GroupedWeights, _ groups: Groups, _ grid: inout RecoveredGroups
  ) {
    let first = block * partCount
    var parts: [DistinctValues] = []
    let limit =
      switch kind {
      case .levels(_, let levels, _): levels.levels.count
      case .minimum(_, let top): top + 1
      }
    for group in first..<first + partCount {
      var distinct = DistinctValues()
      guard distinct.take(weights.values(groups.range(group)), limit: limit, rounding) else {
        return
      }
      parts.append(distinct)
    }
    switch kind {
    case .levels(var search, let levels, let bias):
      guard let found = search.scales(of: parts) else { return }
      grid.nestedScales?.parents[block] = found.parent
      var single = ScaleSearch(levels, rounding, allowsNegativeScales: true)
      for (index, part) in parts.enumerated() {
        let group = first + index
        let scale = found.parent * Float(found.integers[index])
        guard single.accepts(part, scale) else { continue }
        grid.nestedScales?.integers[group] = UInt8(found.integers[index] + bias)
        grid.scales[group] = scale
        let place = groups.range(group)
        single.write(
          part, weights.values(place), shift: 0, into: &grid.codes, at: place.lowerBound)
      }
    case .minimum(var search, let top):
      guard let fit = search.fit(of: parts) else { return }
      grid.nestedScales?.parents[block] = fit.scale
      grid.nestedMinima?.parents[block] = fit.minimum
      var single = MinimumSearch(top: top, rounding)
      for (index, part) in parts.enumerated() {
        let group = first + index
        let scale = fit.scale * Float(fit.scaleIntegers[index])
        let minimum = fit.minimum * Float(fit.minimumIntegers[index])
        guard single.accepts(part, scale: scale, minimum: minimum) else { continue }
        grid.nestedScales?.integers[group] = UInt8(fit.scaleIntegers[index])
        grid.nestedMinima?.integers[group] = UInt8(fit.minimumIntegers[index])
        grid.scales[group] = scale
        grid.minima?[group] = minimum
        let place = groups.range(group)
        for (offset, value) in weights.values(place).enumerated() {
          grid.codes[place.lowerBound + offset] = UInt8(single.found[part.index(of: value)])
        }
      }
    }
  }
}
