/// The 256 levels that bitsandbytes codes scales with: a sign, a unary exponent of ten, and a linear fraction (Dettmers
/// 2015, arXiv:1511.04561; Dettmers et al. 2022, arXiv:2110.02861, section 2.1).
public enum DynamicMap {
  /// Ascending, from -0.993 to 1, in the single-precision arithmetic of the reference.
  public static let levels: [Float] = {
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
    let mean = cascadeSum(scales) / Float(scales.count)
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

  /// The sum in single precision, added in the order of PyTorch's AVX2 kernel on one thread: four chains of eight lanes,
  /// cascaded every 2^p rows through four levels; then the chains, the rest, and the lanes.
  private static func cascadeSum(_ values: [Float]) -> Float {
    let laneCount = 8
    let chainCount = 4
    let levelCount = 4
    func row(_ index: Int) -> SIMD8<Float> {
      SIMD8(values[index * laneCount..<(index + 1) * laneCount])
    }
    let vectorCount = values.count / laneCount
    let rowCount = vectorCount / chainCount
    let bits = rowCount > 1 ? Int.bitWidth - (rowCount - 1).leadingZeroBitCount : 0
    let power = max(4, bits / levelCount)
    var sums = [[SIMD8<Float>]](
      repeating: [SIMD8<Float>](repeating: .zero, count: chainCount), count: levelCount)
    for index in 0..<rowCount {
      for chain in 0..<chainCount { sums[0][chain] += row(index * chainCount + chain) }
      let done = index + 1
      guard done % (1 << power) == 0 else { continue }
      for level in 1..<levelCount {
        for chain in 0..<chainCount {
          sums[level][chain] += sums[level - 1][chain]
          sums[level - 1][chain] = .zero
        }
        if done & ((1 << power) - 1) << (level * power) != 0 { break }
      }
    }
    var lanes = sums[0]
    for level in 1..<levelCount {
      for chain in 0..<chainCount { lanes[chain] += sums[level][chain] }
    }
    for index in rowCount * chainCount..<vectorCount { lanes[0] += row(index) }
    for chain in 1..<chainCount { lanes[0] += lanes[chain] }
    let rest = values[(vectorCount * laneCount)...].reduce(Float(0), +)
    return (0..<laneCount).reduce(rest) { $0 + lanes[0][$1] }
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
