/// The 256 levels that bitsandbytes codes scales with: a sign, a unary exponent of ten, and a linear fraction (Dettmers
/// 2015, arXiv:1511.04561; Dettmers et al. 2022, arXiv:2110.02861, section 2.1).
enum DynamicMap {
  /// Ascending, from -0.993 to 1, in the single-precision arithmetic of the reference.
  static let levels: [Float] = {
    var levels: [Float] = [0, 1]
    var unit = 1e6
    for step in 0..<7 {
      // 2^step fractions: the middles of that many equal parts of 0.1...1, times 10^(step - 6).
      let count = 1 << step
      for index in 0..<count {
        let middle = (edge(index, of: count) + edge(index + 1, of: count)) / 2
        let magnitude = Float(1 / unit) * middle
        levels.append(magnitude)
        levels.append(-magnitude)
      }
      unit /= 10
    }
    return levels.sorted()
  }()

  /// The middles between neighbours: a value above middle i has a code above i.
  static let thresholds: [Float] = zip(levels, levels.dropFirst()).map { ($0 + $1) / 2 }

  /// Edge `index` of `count` equal parts of 0.1...1, rounded once, counted from the nearer end.
  private static func edge(_ index: Int, of count: Int) -> Float {
    let step = Double((Float(1) - Float(0.1)) / Float(count))
    return index < (count + 1) / 2
      ? Float(Double(Float(0.1)) + step * Double(index)) : Float(1 - step * Double(count - index))
  }
}

extension ScaleTree {
  /// Codes scales in 8 bits: their mean is taken off, and each block of ``doubleBlockCount`` is divided by its largest
  /// magnitude and rounded to the nearest of ``DynamicMap``'s levels (Dettmers et al. 2023, arXiv:2305.14314, section 3,
  /// as in bitsandbytes).
  static func doubleQuantizing(_ scales: [Float]) -> ScaleTree {
    guard !scales.isEmpty else { return .doubleQuantized(codes: [], largest: [], mean: 0) }
    let mean = Float(scales.reduce(0.0) { $0 + Double($1) } / Double(scales.count))
    var codes: [UInt8] = []
    var largest: [Float] = []
    codes.reserveCapacity(scales.count)
    for start in stride(from: 0, to: scales.count, by: doubleBlockCount) {
      let block = scales[start..<min(start + doubleBlockCount, scales.count)].map { $0 - mean }
      let extreme = block.reduce(0) { max($0, abs($1)) }
      let inverse = 1 / max(extreme, 1e-38)
      largest.append(extreme)
      for value in block {
        codes.append(code(of: min(max(value * inverse, -1), 1)))
      }
    }
    return .doubleQuantized(codes: codes, largest: largest, mean: mean)
  }

  private static func code(of value: Float) -> UInt8 {
    var (low, high) = (0, DynamicMap.thresholds.count)
    while low < high {
      let middle = (low + high) / 2
      if value > DynamicMap.thresholds[middle] { low = middle + 1 } else { high = middle }
    }
    return UInt8(low)
  }
}
