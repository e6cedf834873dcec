internal import CNibbleKernels

/// What one group's codes can stand for, once its scale and offset are chosen: the target of every range estimator.
public struct Grid: Sendable {
  /// How codes and levels belong together.
  enum Levels: Sendable {
    /// code = level + zero, with whole levels.
    case integers(top: Float, bias: Float)
    case table(LevelTable)
  }

  let levels: Levels
  let scale: ScaleFormat
  let offset: Offset
  /// What E4M3 scales are multiplied by.
  var tensorScale: Float = 1

  /// - Precondition: the scheme's levels are not learned.
  public init(_ scheme: Scheme) {
    switch scheme.element {
    case .int(let bits): levels = .integers(top: Float(1 << bits - 1), bias: Float(1 << (bits - 1)))
    case .uint(let bits): levels = .integers(top: Float(1 << bits - 1), bias: 0)
    case .codebook(let book): levels = .table(LevelTable(book))
    case .learned: preconditionFailure("learned levels are no grid")
    }
    scale = scheme.scale
    offset = scheme.offset
  }

  /// The level to which the largest magnitude is scaled: 127 for 8 bits, 1 for nf4.
  var highestLevel: Float {
    switch levels {
    case .integers(let top, let bias): top - bias
    case .table(let table): table.largestMagnitude
    }
  }

  /// The level of each code, before a zero point is taken off.
  var levelValues: [Float] {
    switch levels {
    case .integers(let top, let bias): (0...Int(top)).map { Float($0) - bias }
    case .table(let table): table.levels
    }
  }

  /// The number of magnitudes that levels of one sign have: 128 for 8 bits.
  var magnitudeCount: Int {
    switch levels {
    case .integers(let top, _): (Int(top) + 1) / 2
    case .table(let table): table.levels.count / 2
    }
  }

  /// The value of a level under a fit.
  func value(_ level: Float, _ fit: GroupFit) -> Float {
    switch offset {
    case .none: level * fit.scale
    case .zeroPoint: (level - fit.offset) * fit.scale
    case .minimum: level * fit.scale + fit.offset
    }
  }

  /// Whether a group has one scale and nothing else.
  public var isSymmetric: Bool { offset == .none }

  /// The scale as it is stored: to the nearest that the format holds. Infinite when it is too large.
  func stored(_ value: Float) -> Float { Self.stored(value, scale, tensorScale: tensorScale) }

  private static func stored(_ value: Float, _ format: ScaleFormat, tensorScale: Float) -> Float {
    switch format {
    case .float32, .doubleQuantized: value
    case .float16: nk_through_half(value)
    case .bfloat16: nk_through_bfloat(value)
    case .e8m0:
      value == 0
        ? EightBitScale.e8m0(0)
        : EightBitScale.e8m0(UInt8(min(max(Int(value.exponent) + 127, 0), 254)))
    case .e4m3:
      tensorScale == 0
        ? 0
        : EightBitScale.e4m3Levels[Int(EightBitScale.e4m3Code(value / tensorScale))] * tensorScale
    case .integer(_, _, let parent): stored(value, parent, tensorScale: tensorScale)
    }
  }

  /// The fit that covers `low...high`, as it is stored.
  ///
  /// Symmetric: the larger magnitude becomes the highest level (a power of two below it for E8M0). Zero point: the range
  /// is widened to hold 0, which then is a level exactly (Jacob et al. 2018, arXiv:1712.05877, section 2.1). Minimum: the
  /// lowest code is `low`.
  public func fit(low: Float, high: Float) -> GroupFit {
    guard case .integers(let top, _) = levels, offset != .none else {
      return symmetricFit(largest: max(abs(low), abs(high)))
    }
    if case .minimum(let format) = offset {
      let minimum = Self.stored(low, format, tensorScale: 1)
      // Halves, so that the difference of two huge values is finite.
      return GroupFit(scale: stored((high / 2 - minimum / 2) / top * 2), offset: minimum)
    }
    let (low, high) = (min(low, 0), max(high, 0))
    let scale = stored((high / 2 - low / 2) / top * 2)
    return GroupFit(scale: scale, offset: zeroPoint(-low / scale))
  }

  /// The fit that brings magnitude `largest` to the highest level.
  func symmetricFit(largest: Float) -> GroupFit {
    if scale == .e8m0 {
      // The exponents of the value and of the highest level (OCP Microscaling formats v1.0, section 6.3).
      let exponent = EightBitScale.exponentCode(largest) - Int(highestLevel.exponent)
      return GroupFit(scale: EightBitScale.e8m0(UInt8(min(max(exponent + 127, 0), 254))), offset: 0)
    }
    return GroupFit(scale: stored(largest / highestLevel), offset: 0)
  }

  /// The whole zero point nearest to `value`.
  func zeroPoint(_ value: Float) -> Float {
    guard case .integers(let top, _) = levels, value.isFinite else { return 0 }
    return min(max(value.rounded(.toNearestOrEven), 0), top)
  }

  /// A fit rounded to what is stored; `offset` is a zero point or a minimum, whichever the scheme has.
  func stored(_ fit: GroupFit) -> GroupFit {
    switch offset {
    case .none: GroupFit(scale: stored(fit.scale), offset: 0)
    case .zeroPoint: GroupFit(scale: stored(fit.scale), offset: zeroPoint(fit.offset))
    case .minimum(let format):
      GroupFit(
        scale: stored(fit.scale), offset: Self.stored(fit.offset, format, tensorScale: 1))
    }
  }
}

/// A scale and, where the scheme has one, a zero point (a whole number) or a minimum.
public struct GroupFit: Hashable, Sendable {
  public var scale: Float
  public var offset: Float

  public init(scale: Float, offset: Float) {
    self.scale = scale
    self.offset = offset
  }
}

/// A table of levels with the values at which the code changes.
struct LevelTable: Sendable {
  let levels: [Float]
  let thresholds: [Float]
  let largestMagnitude: Float

  init(_ book: Codebook) {
    levels = book.levels
    largestMagnitude = book.largestMagnitude
    var thresholds = zip(levels, levels.dropFirst()).map { ($0 + $1) / 2 }
    if book == .e2m1 {
      // Ties go to the smaller magnitude on both sides, and zero has one sign.
      for index in thresholds.indices where thresholds[index] < 0 {
        thresholds[index] = thresholds[index].nextDown
      }
      let zero = levels.count / 2 - 1
      thresholds[zero] = thresholds[zero - 1]
    }
    if book == .e4m3 {
      // Ties go to the even fraction: levels at even distance from their zero. Zero has one sign.
      let zero = levels.count / 2 - 1
      for index in thresholds.indices {
        let distance = index > zero ? index - zero - 1 : zero - index
        if distance % 2 == 1 { thresholds[index] = thresholds[index].nextDown }
      }
      thresholds[zero] = thresholds[zero - 1]
    }
    self.thresholds = thresholds
  }

  func withKernelTable<R>(_ body: (UnsafePointer<nk_level_table>) -> R) -> R {
    levels.withUnsafeBufferPointer { levels in
      thresholds.withUnsafeBufferPointer { thresholds in
        var table = nk_level_table(
          levels: levels.baseAddress, thresholds: thresholds.baseAddress, count: levels.count)
        return withUnsafePointer(to: &table, body)
      }
    }
  }
}
