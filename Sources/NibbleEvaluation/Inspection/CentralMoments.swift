/// Count, mean and the central power sums of a set of numbers, which merge without loss of precision.
///
/// Each part is centred on its own mean first; parts merge by the formulas of Pébay 2008 (Sandia report SAND2008-6212, §2),
/// so a large mean does not swallow a small spread. `M2`, `M3`, `M4` there are ``square``, ``cube`` and ``fourth`` here.
public struct CentralMoments: Sendable, Equatable {
  public private(set) var count = 0
  public private(set) var mean = 0.0
  /// Σ(x − mean)².
  private var square = 0.0
  /// Σ(x − mean)³.
  private var cube = 0.0
  /// Σ(x − mean)⁴.
  private var fourth = 0.0

  init() {}

  /// The moments of finite values, in Double throughout.
  init(_ values: UnsafeBufferPointer<Float>) {
    guard !values.isEmpty else { return }
    count = values.count
    // Four sums at a time hide the latency of additions; their order is fixed.
    let whole = values.count / 4 * 4
    var sums = SIMD4<Double>.zero
    for index in stride(from: 0, to: whole, by: 4) { sums += Self.four(values, index) }
    var sum = sums.sum()
    for index in whole..<values.count { sum += Double(values[index]) }
    mean = sum / Double(count)

    var (squares, cubes, fourths) = (SIMD4<Double>.zero, SIMD4<Double>.zero, SIMD4<Double>.zero)
    let centre = SIMD4(repeating: mean)
    for index in stride(from: 0, to: whole, by: 4) {
      let gap = Self.four(values, index) - centre
      let gap2 = gap * gap
      squares += gap2
      cubes += gap2 * gap
      fourths += gap2 * gap2
    }
    (square, cube, fourth) = (squares.sum(), cubes.sum(), fourths.sum())
    for index in whole..<values.count {
      let gap = Double(values[index]) - mean
      square += gap * gap
      cube += gap * gap * gap
      fourth += gap * gap * gap * gap
    }
  }

  private static func four(_ values: UnsafeBufferPointer<Float>, _ index: Int) -> SIMD4<Double> {
    SIMD4(
      Double(values[index]), Double(values[index + 1]), Double(values[index + 2]),
      Double(values[index + 3]))
  }

  /// Adds the numbers that `other` describes.
  mutating func add(_ other: CentralMoments) {
    guard other.count > 0 else { return }
    guard count > 0 else {
      self = other
      return
    }
    let (a, b) = (Double(count), Double(other.count))
    let n = a + b
    let gap = other.mean - mean
    let step = gap / n
    let cross = gap * step * a * b
    fourth +=
      other.fourth + cross * step * step * (a * a - a * b + b * b)
      + 6 * step * step * (a * a * other.square + b * b * square)
      + 4 * step * (a * other.cube - b * cube)
    cube += other.cube + cross * step * (a - b) + 3 * step * (a * other.square - b * square)
    square += other.square + cross
    mean += step * b
    count += other.count
  }

  /// The mean of (x − mean)²; 0 without numbers.
  public var variance: Double { count > 0 ? square / Double(count) : 0 }
  public var standardDeviation: Double { variance.squareRoot() }
  /// Σx².
  public var energy: Double { square + Double(count) * mean * mean }

  /// The fourth standardized moment minus 3: 0 for a Gaussian, above for heavy tails; nil where all numbers are equal.
  public var excessKurtosis: Double? {
    guard square > 0 else { return nil }
    return Double(count) * fourth / (square * square) - 3
  }
}
