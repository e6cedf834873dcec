/// Recovers groups whose scale depends on no other group's.
struct PlainGridSearch {
  private enum Kind {
    case levels(ScaleSearch)
    case minimum(MinimumSearch, StoredNumbers)
  }

  private let scheme: Scheme
  private let rounding: NumberRounding
  private let kind: Kind
  private let numbers: StoredNumbers

  /// - Returns: nil for schemes whose scales are not searched.
  init?(_ scheme: Scheme, _ rounding: NumberRounding) {
    self.scheme = scheme
    self.rounding = rounding
    numbers = StoredNumbers(scheme.scale)
    switch scheme.scale {
    case .float32, .float16, .bfloat16, .e8m0: break
    case .e4m3, .doubleQuantized, .integer: return nil
    }
    if case .minimum(let format) = scheme.offset, case .uint(let bits) = scheme.element {
      kind = .minimum(MinimumSearch(top: 1 << bits - 1, rounding), StoredNumbers(format))
    } else if let levels = LevelSet(scheme) {
      // GGUF's encoders give the largest value the level of largest magnitude, whatever its sign.
      let isBlockType = GGMLType(scheme: scheme) != nil
      kind = .levels(ScaleSearch(levels, rounding, allowsNegativeScales: isBlockType))
    } else {
      return nil
    }
  }

  /// Replaces those of the groups that lie on a grid.
  func run(
    _ faulty: [Int], _ weights: GroupedWeights, _ groups: Groups, _ grid: inout RecoveredGroups
  ) {
    var distinct = DistinctValues()
    switch kind {
    case .levels(var search):
      let limit = search.levels.span.map { $0 + 1 } ?? search.levels.levels.count
      for group in faulty {
        let place = groups.range(group)
        let values = weights.values(place)
        guard distinct.take(values, limit: limit, rounding),
          let scale = search.scale(of: distinct, as: numbers)
        else { continue }
        grid.scales[group] = scale
        store(search, distinct, values, place, group, &grid)
      }
    case .minimum(var search, let minima):
      for group in faulty {
        let place = groups.range(group)
        let values = weights.values(place)
        guard distinct.take(values, limit: search.top + 1, rounding),
          let fit = search.fit(of: distinct, scales: numbers, minima: minima)
        else { continue }
        grid.scales[group] = fit.scale
        grid.minima?[group] = fit.minimum
        for (index, value) in values.enumerated() {
          grid.codes[place.lowerBound + index] = UInt8(search.found[distinct.index(of: value)])
        }
      }
    }
  }

  private func store(
    _ search: ScaleSearch, _ distinct: DistinctValues, _ values: UnsafeBufferPointer<Float>,
    _ place: Range<Int>, _ group: Int, _ grid: inout RecoveredGroups
  ) {
    var shift = 0
    if let span = search.levels.span {
      // Levels count from -span; codes from the zero point below the lowest of them.
      let lowest = min((search.found.min() ?? span) - span, 0)
      grid.zeroPoints?[group] = UInt8(-lowest)
      shift = span + lowest
    }
    search.write(distinct, values, shift: shift, into: &grid.codes, at: place.lowerBound)
  }
}

extension ScaleSearch {
  /// Writes the codes of a group's values under the scale that was accepted last: the levels' indices less `shift`.
  func write(
    _ distinct: DistinctValues, _ values: UnsafeBufferPointer<Float>, shift: Int,
    into codes: inout [UInt8], at first: Int
  ) {
    for (index, value) in values.enumerated() {
      codes[first + index] = UInt8(found[distinct.index(of: value)] - shift)
    }
  }
}
