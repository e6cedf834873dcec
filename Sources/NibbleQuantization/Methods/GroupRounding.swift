/// One run of round-to-nearest over the groups of a matrix.
struct GroupRounding {
  let scheme: Scheme
  let range: any RangeEstimator
  let groups: Groups
  /// Whether learned levels are the best there are.
  let isExact: Bool
  private var grid: Grid?

  init(
    scheme: Scheme, method: RoundToNearest, rowCount: Int, columnCount: Int
  ) throws(QuantizationError) {
    self.scheme = scheme
    range = method.range ?? scheme.usualRange
    isExact = method.findsExactMeans
    groups = try Groups(scheme, rowCount: rowCount, columnCount: columnCount)
    if case .learned = scheme.element { return }
    grid = Grid(scheme)
  }

  func quantize(
    _ weight: UnsafeBufferPointer<Float>, _ importance: UnsafeBufferPointer<Float>?
  ) throws(QuantizationError) -> QuantizedTensor {
    let weights = GroupedWeights(weight, importance, groups)
    guard var grid else { return try learn(weights) }
    if scheme.scale == .e4m3 {
      // The tensor's scale brings its largest block scale to E4M3's largest number.
      let (low, high) = extremes(weight)
      grid.tensorScale = max(-low, high) / (grid.highestLevel * 448)
    }
    return try round(weights, grid)
  }

  /// Fits each group and rounds its values.
  private func round(
    _ weights: GroupedWeights, _ grid: Grid
  ) throws(QuantizationError) -> QuantizedTensor {
    var scales = [Float](repeating: 0, count: groups.count)
    var offsets = [Float](repeating: 0, count: grid.isSymmetric ? 0 : groups.count)
    var tooLarge: Int?
    let codes = [UInt8](unsafeUninitializedCapacity: weights.count) { codes, count in
      for group in 0..<groups.count {
        let place = groups.range(group)
        let values = weights.values(place)
        let fit = range.fit(values, importance: weights.importance(group), on: grid)
        if !fit.scale.isFinite || !fit.offset.isFinite { tooLarge = tooLarge ?? group }
        scales[group] = fit.scale
        if !grid.isSymmetric { offsets[group] = fit.offset }
        grid.encode(values, fit, into: UnsafeMutableBufferPointer(rebasing: codes[place]))
      }
      count = weights.count
    }
    if let group = tooLarge {
      throw QuantizationError(
        .invalidValue,
        "\(groups.place(group)): the values are too large for the scales of \(scheme); choose a scheme "
          + "with -bf16 or -f32 scales")
    }
    var zeroPoints: [UInt8]?
    var minima: ScaleTree?
    switch scheme.offset {
    case .none: break
    case .zeroPoint: zeroPoints = offsets.map { UInt8($0) }
    case .minimum(let format): minima = ScaleTree(offsets, as: format, tensorScale: 1)
    }
    return try QuantizedTensor(
      rowCount: groups.rowCount, columnCount: groups.columnCount, scheme: scheme,
      codes: weights.upright(codes),
      scales: ScaleTree(scales, as: scheme.scale, tensorScale: grid.tensorScale), offsets: minima,
      zeroPoints: zeroPoints)
  }

  /// Learns each group's levels by k-means.
  private func learn(_ weights: GroupedWeights) throws(QuantizationError) -> QuantizedTensor {
    let levelCount = scheme.scalesPerGroup
    let means = KMeans(levelCount: levelCount, isExact: isExact)
    var levels = [Float](repeating: 0, count: groups.count * levelCount)
    let format = scheme.scale
    var tooLarge: Int?
    let codes = [UInt8](unsafeUninitializedCapacity: weights.count) { codes, count in
      for group in 0..<groups.count {
        let place = groups.range(group)
        let values = weights.values(place)
        let found = means.levels(of: values, weights: weights.importance(group))
        let stored = ScaleTree(found, as: format, tensorScale: 1).values()
        if stored.contains(where: { !$0.isFinite }) { tooLarge = tooLarge ?? group }
        for (index, level) in stored.enumerated() { levels[group * levelCount + index] = level }
        KMeans.assign(
          values, levels: stored, into: UnsafeMutableBufferPointer(rebasing: codes[place]))
      }
      count = weights.count
    }
    if let group = tooLarge {
      throw QuantizationError(
        .invalidValue,
        "\(groups.place(group)): the values are too large for the levels of \(scheme); choose a scheme "
          + "with -bf16 or -f32 levels")
    }
    return try QuantizedTensor(
      rowCount: groups.rowCount, columnCount: groups.columnCount, scheme: scheme,
      codes: weights.upright(codes), scales: ScaleTree(levels, as: format, tensorScale: 1))
  }
}
