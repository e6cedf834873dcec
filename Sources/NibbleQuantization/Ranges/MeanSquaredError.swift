internal import CNibbleKernels

/// The range whose rounding and clipping together cost the least square error ("mse").
///
/// A scan over clipped ranges, a pattern search around the best of them, and then the closed-form scale (and minimum)
/// for the codes found, as long as that helps. Every candidate is judged with scale and offset as they are stored.
public struct MeanSquaredError: RangeEstimator {
  public init() {}

  public var name: String { "mse" }

  public func fit(
    _ values: UnsafeBufferPointer<Float>, importance: UnsafeBufferPointer<Float>?, on grid: Grid
  ) -> GroupFit {
    let (low, high) = extremes(values)
    let largest = max(-low, high)
    guard largest > 0 else { return grid.fit(low: low, high: high) }
    let normal = Normalized(values, largest: largest)
    return normal.withValues { scaled in
      var search = Search(
        values: scaled, weights: importance?.baseAddress, unit: normal.unit, grid: grid)
      if grid.isSymmetric {
        search.scanScales(largest: largest)
      } else {
        search.scanRanges(low: low, high: high)
      }
      search.refine()
      return search.best ?? grid.fit(low: low, high: high)
    }
  }
}

/// Values whose squares neither overflow nor vanish: as they are, or times a power of two.
private struct Normalized {
  /// What the values were multiplied by.
  let unit: Float
  private let original: UnsafeBufferPointer<Float>
  private let scaled: [Float]?

  init(_ values: UnsafeBufferPointer<Float>, largest: Float) {
    original = values
    let exponent = Int(largest.exponent)
    if abs(exponent) <= 32 {
      unit = 1
      scaled = nil
    } else {
      let factor = Float(sign: .plus, exponent: min(-exponent, 126), significand: 1)
      unit = factor
      scaled = values.map { $0 * factor }
    }
  }

  func withValues<R>(_ body: (UnsafeBufferPointer<Float>) -> R) -> R {
    guard let scaled else { return body(original) }
    return scaled.withUnsafeBufferPointer(body)
  }
}

/// The best fit so far, and the ways to a better one.
private struct Search {
  let values: UnsafeBufferPointer<Float>
  let weights: UnsafePointer<Float>?
  /// What the values were multiplied by, and fits are not.
  let unit: Float
  let grid: Grid
  private(set) var best: GroupFit?
  private var leastError = Double.infinity
  private var bestSums = nk_group_sums()

  init(values: UnsafeBufferPointer<Float>, weights: UnsafePointer<Float>?, unit: Float, grid: Grid)
  {
    self.values = values
    self.weights = weights
    self.unit = unit
    self.grid = grid
  }

  /// Judges a fit that is stored as it stands; true when it is the best so far.
  @discardableResult
  private mutating func judge(_ fit: GroupFit) -> Bool {
    guard fit.scale.isFinite, fit.offset.isFinite else { return false }
    var scaled = fit
    scaled.scale *= unit
    if case .minimum = grid.offset { scaled.offset *= unit }
    let sums = grid.sums(values, weights: weights, scaled)
    guard sums.error < leastError else { return false }
    leastError = sums.error
    best = fit
    bestSums = sums
    return true
  }

  /// Tries scales from the largest magnitude's down to a fifth of it.
  mutating func scanScales(largest: Float) {
    if grid.scale == .e8m0 {
      let middle = grid.symmetricFit(largest: largest).scale
      for factor in [1, 2, 0.5, 0.25] as [Float] {
        judge(GroupFit(scale: grid.stored(middle * factor), offset: 0))
      }
      return
    }
    var ratio: Float = 1.04
    while ratio > 0.2 {
      judge(grid.symmetricFit(largest: largest * ratio))
      ratio -= 0.03
    }
    guard let middle = best?.scale else { return }
    for factor in [0.98, 0.99, 1.01, 1.02] as [Float] {
      judge(GroupFit(scale: grid.stored(middle * factor), offset: 0))
    }
  }

  /// Tries ranges that are cut at both ends, then each end alone.
  mutating func scanRanges(low: Float, high: Float) {
    var (low, high) = (low, high)
    if case .zeroPoint = grid.offset { (low, high) = (min(low, 0), max(high, 0)) }
    let width = high - low
    guard width > 0, width.isFinite else {
      judge(grid.fit(low: low, high: high))
      return
    }
    func range(_ cut: SIMD2<Float>) -> GroupFit {
      grid.fit(low: low + width * cut.x, high: high - width * cut.y)
    }
    var cut = SIMD2<Float>(0, 0)
    for step in 0..<12 {
      let both = SIMD2<Float>(repeating: 0.03 * Float(step))
      if judge(range(both)) { cut = both }
    }
    for step in [0.06, 0.03, 0.015, 0.0075] as [Float] {
      for _ in 0..<3 {
        let start = cut
        for direction in [SIMD2(step, 0), SIMD2(-step, 0), SIMD2(0, step), SIMD2(0, -step)] {
          let next = start + direction
          if next.x + next.y < 0.95, next.x > -0.1, next.y > -0.1, judge(range(next)) { cut = next }
        }
        if cut == start { break }
      }
    }
  }

  /// Alternates between the best scale (and minimum) for the codes and the codes for these.
  mutating func refine() {
    guard grid.scale != .e8m0 else { return }
    for _ in 0..<4 {
      guard let fit = best, let next = closedForm(fit) else { return }
      if !judge(grid.stored(next)) { break }
    }
    guard case .zeroPoint = grid.offset, let fit = best else { return }
    for step in [-1, 1] as [Float] {
      judge(grid.stored(GroupFit(scale: fit.scale, offset: fit.offset + step)))
    }
  }

  /// The least-squares scale, and minimum where there is one, for the codes of the best fit.
  private func closedForm(_ fit: GroupFit) -> GroupFit? {
    let sums = bestSums
    guard case .minimum = grid.offset else {
      guard sums.wll > 0 else { return nil }
      return GroupFit(scale: Float(sums.wlx / sums.wll / Double(unit)), offset: fit.offset)
    }
    let determinant = sums.wll * sums.w - sums.wl * sums.wl
    guard determinant > 1e-9 * sums.wll * sums.w else { return nil }
    let scale = (sums.wlx * sums.w - sums.wl * sums.wx) / determinant
    let minimum = (sums.wll * sums.wx - sums.wl * sums.wlx) / determinant
    return GroupFit(
      scale: Float(scale / Double(unit)), offset: Float(minimum / Double(unit)))
  }
}
