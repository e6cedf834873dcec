internal import CNibbleKernels

/// A row's scales, or its minima, among the parameters of a refit: where they stand and what can be stored.
struct ScaleFamily {
  private let shape: RowShape
  private let isMinimum: Bool
  private let format: ScaleFormat
  /// The integers of nested scales.
  private let lowest: Double
  private let highest: Double
  /// The parameters of this family.
  let range: Range<Int>
  /// The first of this family's parents among all.
  let firstParent: Int

  /// The scales, and the minima where the scheme has them.
  static func all(_ shape: RowShape) -> [ScaleFamily] {
    var families = [ScaleFamily(shape, shape.scheme.scale, isMinimum: false)]
    if case .minimum(let format) = shape.scheme.offset {
      families.append(ScaleFamily(shape, format, isMinimum: true))
    }
    return families
  }

  private init(_ shape: RowShape, _ format: ScaleFormat, isMinimum: Bool) {
    self.shape = shape
    self.format = format
    self.isMinimum = isMinimum
    let first = isMinimum ? shape.groupCount : 0
    range = first..<first + shape.groupCount
    firstParent = isMinimum ? shape.parentCount : 0
    if case .integer(let bits, let isSigned, _) = format {
      lowest = isSigned ? -Double(1 << (bits - 1)) : 0
      highest = isSigned ? Double(1 << (bits - 1) - 1) : Double(1 << bits - 1)
    } else {
      (lowest, highest) = (0, 0)
    }
  }

  var isNested: Bool { shape.parentCount > 0 }
  var isPowerOfTwo: Bool { format == .e8m0 }

  /// The parameters of one block.
  func range(ofBlock block: Int) -> Range<Int> {
    let length = shape.groupCount / shape.parentCount
    let first = range.lowerBound + block * length
    return first..<first + length
  }

  /// The parent of a parameter, among all parents.
  func parentIndex(_ parameter: Int) -> Int {
    firstParent + (parameter - range.lowerBound) / (shape.groupCount / shape.parentCount)
  }

  // MARK: - A tile's lanes

  /// The present values of a lane.
  func values(_ state: TileState, _ lane: Int) -> [Double] {
    let source = isMinimum ? state.offsets : state.scales
    return (0..<shape.groupCount).map { Double(source[8 * $0 + lane]) }
  }

  /// The present parents of a lane.
  func stored(_ state: TileState, _ lane: Int) -> (parents: [Double], isMinimum: Bool) {
    let source = isMinimum ? state.offsetParents : state.scaleParents
    return ((0..<shape.parentCount).map { Double(source[8 * $0 + lane]) }, isMinimum)
  }

  /// Writes a lane.
  func store(
    values: [Double], integers: [Double], parents: [Double], in state: TileState, _ lane: Int
  ) {
    for (group, index) in range.enumerated() {
      let place = 8 * group + lane
      let value: Float
      if isNested {
        value = Float(parents[parentIndex(index)]) * Float(integers[index])
        if isMinimum {
          state.offsetCodes[place] = Float(integers[index])
        } else {
          state.scaleCodes[place] = Float(integers[index])
        }
      } else {
        value = Float(values[index])
      }
      if isMinimum { state.offsets[place] = value } else { state.scales[place] = value }
    }
    for block in 0..<shape.parentCount {
      let value = Float(parents[firstParent + block])
      if isMinimum {
        state.offsetParents[8 * block + lane] = value
      } else {
        state.scaleParents[8 * block + lane] = value
      }
    }
  }

  // MARK: - What can be stored

  /// The nearest stored value; the present one where a scale would vanish, change its sign or overflow.
  func stored(_ value: Double, present: Double) -> Double {
    let rounded = Double(Self.rounded(Float(value), format))
    guard rounded.isFinite, isMinimum || rounded * present > 0 else { return present }
    return rounded
  }

  /// Stored values about `value` that are worth a try.
  func candidates(
    _ value: Double, present: Double, parent: Double
  ) -> [(value: Double, integer: Double)] {
    if isNested {
      let integer = integer(value, parent: parent)
      return [(parent * integer, integer)]
    }
    guard isPowerOfTwo else { return [(stored(value, present: present), 0)] }
    return [present / 2, present * 2].map { (stored($0, present: present), 0) }
  }

  /// The integer that comes nearest to `value`.
  func integer(_ value: Double, parent: Double) -> Double {
    guard parent != 0 else { return 0 }
    return min(max((value / parent).rounded(.toNearestOrEven), lowest), highest)
  }

  /// A parent as it is stored.
  func storedParent(_ value: Double) -> Double {
    guard case .integer(_, _, let over) = format else { return value }
    return Double(Self.rounded(Float(value), over))
  }

  /// Parents that bring the extreme wanted value to the highest integer, or near it.
  func parents(for wanted: [Double]) -> [Double] {
    let extreme: Double
    let ends: [Double]
    if lowest < 0 {
      extreme = wanted.max { abs($0) < abs($1) } ?? 0
      ends = [lowest, highest, lowest + 1, lowest * 0.94]
    } else {
      extreme = (isMinimum ? wanted.min() : wanted.max()) ?? 0
      guard isMinimum ? extreme < 0 : extreme > 0 else { return [] }
      ends = [highest, highest * 0.97, highest * 0.93]
    }
    return ends.map { extreme / $0 }
  }

  private static func rounded(_ value: Float, _ format: ScaleFormat) -> Float {
    switch format {
    case .float16: nk_through_half(value)
    case .bfloat16: nk_through_bfloat(value)
    default: value
    }
  }
}
