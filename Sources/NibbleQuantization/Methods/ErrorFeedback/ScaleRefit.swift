internal import CNibbleKernels

/// Fits a row's scales and minima again for the codes that it has, by least squares in the metric, in the formats in
/// which they are stored.
///
/// The real-valued solution comes first; it is rounded to the formats, and then each parameter in turn goes to the best
/// stored value given all others, so that later ones make up for the rounding of earlier ones.
final class ScaleRefit {
  private let shape: RowShape
  private let equations: ScaleEquations
  private var factor: [Double]
  private var wanted: [Double]
  /// Parameters as they will be stored, and the objective's half slope there.
  private var values: [Double]
  private var slope: [Double]
  private var parents: [Double]
  private var integers: [Double]
  private let families: [ScaleFamily]

  /// - Returns: nil for schemes whose scales are not numbers of one group: learned levels, and scales that rows share.
  init?(_ shape: RowShape, _ metric: LayerMetric, _ sums: GroupSums?) {
    guard shape.learnedCount == 0, shape.scheme.isRowLocal, shape.groupCount > 0 else { return nil }
    self.shape = shape
    equations = ScaleEquations(shape, metric, sums)
    families = ScaleFamily.all(shape)
    let count = equations.parameterCount
    factor = [Double](repeating: 0, count: count * count)
    wanted = [Double](repeating: 0, count: count)
    values = wanted
    slope = wanted
    integers = wanted
    parents = [Double](repeating: 0, count: families.count * shape.parentCount)
  }

  /// Gives `trial` the grids that suit the codes of `state` best, and the objectives that `state` would have on them; a
  /// lane that gains nothing keeps its own.
  func refit(_ state: TileState, into trial: TileState) {
    equations.assemble(state)
    for lane in 0..<8 { trial.copyGrid(lane: lane, from: state) }
    trial.objectives.copy(from: state.objectives)
    for lane in 0..<8 {
      equations.select(lane: lane)
      solve(state, lane)
      for family in families { encode(family, state, lane) }
      slope = equations.slope
      let count = equations.parameterCount
      let present = families.flatMap { $0.values(state, lane) }
      for index in 0..<count { move(index, by: values[index] - present[index]) }
      for _ in 0..<3 {
        for family in families { polish(family) }
      }
      var change = 0.0
      for index in 0..<count {
        change += (values[index] - present[index]) * (equations.slope[index] + slope[index])
      }
      guard change < 0 else { continue }
      trial.objectives[lane] += change
      for family in families {
        family.store(values: values, integers: integers, parents: parents, in: trial, lane)
      }
    }
    trial.prepareGrid()
  }

  /// Takes a step of a parameter into the slope.
  private func move(_ index: Int, by step: Double) {
    guard step != 0 else { return }
    let count = equations.parameterCount
    equations.matrix.withUnsafeBufferPointer { matrix in
      slope.withUnsafeMutableBufferPointer { slope in
        for other in 0..<count { slope[other] += step * matrix[index * count + other] }
      }
    }
  }

  /// The real-valued solution, into `wanted`; the present values where the equations are singular.
  private func solve(_ state: TileState, _ lane: Int) {
    let count = equations.parameterCount
    wanted = families.flatMap { $0.values(state, lane) }
    guard !families[0].isPowerOfTwo else { return }
    factor = equations.matrix
    var step = equations.slope.map { -$0 }
    for index in 0..<count {
      let place = index * (count + 1)
      if factor[place] > 0 {
        factor[place] *= 1 + 1e-6
      } else {
        (factor[place], step[index]) = (1, 0)
      }
    }
    guard feedbackKernels.factor(&factor, count, count) != 0 else { return }
    feedbackKernels.solve_rows(&step, count, 1, factor, count, count)
    factor.withUnsafeBufferPointer { factor in
      step.withUnsafeMutableBufferPointer { step in
        for row in stride(from: count - 1, through: 0, by: -1) {
          step[row] /= factor[row * count + row]
          for column in 0..<row { step[column] -= step[row] * factor[row * count + column] }
        }
      }
    }
    guard step.allSatisfy(\.isFinite) else { return }
    for index in 0..<count { wanted[index] += step[index] }
  }

  /// Rounds the wanted values of one family to what is stored.
  private func encode(_ family: ScaleFamily, _ state: TileState, _ lane: Int) {
    let present = family.values(state, lane)
    guard family.isNested else {
      for (offset, index) in family.range.enumerated() {
        values[index] = family.stored(wanted[index], present: present[offset])
      }
      return
    }
    let stored = family.stored(state, lane)
    for block in 0..<shape.parentCount {
      var search = ParentSearch(family, equations, wanted: wanted, block: block)
      search.judge(stored.parents[block])
      for parent in family.parents(for: search.range.map { wanted[$0] }) { search.judge(parent) }
      search.refine()
      parents[family.firstParent + block] = search.bestParent
      for (offset, index) in search.range.enumerated() {
        integers[index] = search.bestIntegers[offset]
        values[index] = search.bestParent * integers[index]
      }
    }
  }

  /// Brings each parameter of a family to its best stored value given all others.
  private func polish(_ family: ScaleFamily) {
    let count = equations.parameterCount
    for index in family.range {
      let curvature = equations.matrix[index * (count + 1)]
      guard curvature > 0 else { continue }
      let best = values[index] - slope[index] / curvature
      let parent = family.isNested ? parents[family.parentIndex(index)] : 0
      for candidate in family.candidates(best, present: values[index], parent: parent) {
        let step = candidate.value - values[index]
        guard step * (2 * slope[index] + step * curvature) < 0 else { continue }
        move(index, by: step)
        values[index] = candidate.value
        integers[index] = candidate.integer
      }
    }
    guard family.isNested else { return }
    for block in 0..<shape.parentCount { polishParent(family, block) }
  }

  private func polishParent(_ family: ScaleFamily, _ block: Int) {
    let count = equations.parameterCount
    let range = family.range(ofBlock: block)
    var along = 0.0
    var curvature = 0.0
    for i in range {
      along += integers[i] * slope[i]
      for j in range { curvature += integers[i] * equations.matrix[i * count + j] * integers[j] }
    }
    guard curvature > 0 else { return }
    let place = family.firstParent + block
    let parent = family.storedParent(parents[place] - along / curvature)
    let step = parent - parents[place]
    guard parent.isFinite, parent * parents[place] > 0,
      step * (2 * along + step * curvature) < 0
    else { return }
    parents[place] = parent
    for i in range {
      move(i, by: parent * integers[i] - values[i])
      values[i] = parent * integers[i]
    }
  }
}

/// The search of one block's parent scale: the integers that come nearest to what is wanted, judged in the metric.
private struct ParentSearch {
  let family: ScaleFamily
  let equations: ScaleEquations
  let wanted: [Double]
  let range: Range<Int>
  private(set) var bestParent = 0.0
  private(set) var bestIntegers: [Double]
  private var least = Double.infinity

  init(_ family: ScaleFamily, _ equations: ScaleEquations, wanted: [Double], block: Int) {
    self.family = family
    self.equations = equations
    self.wanted = wanted
    range = family.range(ofBlock: block)
    bestIntegers = [Double](repeating: 0, count: range.count)
  }

  /// Tries a parent scale.
  mutating func judge(_ value: Double) {
    let parent = family.storedParent(value)
    guard parent.isFinite else { return }
    let count = equations.parameterCount
    let integers = range.map { family.integer(wanted[$0], parent: parent) }
    let errors = range.indices.map { parent * integers[$0 - range.lowerBound] - wanted[$0] }
    var sum = 0.0
    for (i, row) in range.enumerated() {
      for (j, column) in range.enumerated() {
        sum += errors[i] * equations.matrix[row * count + column] * errors[j]
      }
    }
    guard sum < least else { return }
    (least, bestParent, bestIntegers) = (sum, parent, integers)
  }

  /// Tries the best parent for the best integers.
  mutating func refine() {
    let count = equations.parameterCount
    for _ in 0..<2 {
      var (product, square) = (0.0, 0.0)
      for (i, row) in range.enumerated() {
        for (j, column) in range.enumerated() {
          let weight = bestIntegers[i] * equations.matrix[row * count + column]
          product += weight * wanted[column]
          square += weight * bestIntegers[j]
        }
      }
      guard square > 0 else { return }
      judge(product / square)
    }
  }
}
