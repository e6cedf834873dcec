internal import CNibbleKernels
internal import NibbleTensors

/// A layer's statistics in the form that the loops over rows need.
///
/// Matrices are padded with zeros to a multiple of eight columns and multiplied by a power of two, so that their diagonal
/// is at most about 1.
final class LayerMetric: Sendable {
  let columnCount: Int
  /// `columnCount`, rounded up to a multiple of eight.
  let paddedCount: Int
  /// What the statistics were multiplied by.
  let unit: Double
  /// `[paddedCount, paddedCount]`: the matrix of the objective, its diagonal enlarged by ``loading``; empty when it is diagonal by
  /// definition.
  let matrix: [Float]
  /// `[paddedCount]`: its diagonal.
  let diagonal: [Float]
  /// 1 / diagonal; 0 for inputs that are always zero.
  let inverseDiagonal: [Float]
  /// The columns in the order in which they are rounded; padding comes last.
  let order: [UInt32]
  /// `[paddedCount, paddedCount]`: row k tells how much of the error of each column before the k-th is added to it; empty
  /// when there is no feedback.
  let feedback: [Float]
  /// `[paddedCount]`: what is left of the damped diagonal when a column's turn comes; 0 for padding.
  let pivots: [Float]
  /// The share of each diagonal element that was added to it: how much less than the tokens say is believed of how inputs go
  /// together.
  let loading: Double
  /// What was added to the diagonal for the factor, as a share of its mean.
  let damping: Double
  /// What was added to the diagonal of `matrix` for the factor.
  let ridge: Float
  /// Whether there is no feedback, since no damping made the matrix definite.
  let isDiagonal: Bool
  /// The factor of the damped matrix, rows and columns in the reverse of `order`.
  let factor: CholeskyFactor?

  /// - Parameters:
  ///   - statistics: of `columnCount` inputs.
  ///   - order: which columns come first.
  ///   - loading: the share of each diagonal element that is added to it.
  ///   - damping: the least share of the mean diagonal that is added to the diagonal for the factor.
  ///   - pool: threads for the factorization.
  init(
    _ statistics: LayerStatistics, order: ErrorFeedback.Order, loading: Double, damping: Double,
    pool: WorkerPool
  ) {
    let count = statistics.columnCount
    let padded = (count + 7) / 8 * 8
    let hessian = statistics.hessian
    let diagonal = statistics.importance
    let largest = diagonal.reduce(0, max)
    let unit = Self.unit(largest)
    var matrix = [Float](repeating: 0, count: padded * padded)
    for row in 0..<count {
      for column in 0..<count {
        matrix[row * padded + column] = Float(Double(hessian[row * count + column]) * unit)
      }
      matrix[row * (padded + 1)] *= Float(1 + loading)
    }
    var columns = Array(0..<count)
    if order == .descendingImportance {
      columns.sort { (diagonal[$0], $1) > (diagonal[$1], $0) }
    }
    let mean = diagonal.reduce(0) { $0 + Double($1) * unit } / Double(max(count, 1))
    let reversed = Array(columns.reversed())
    var used = max(damping, 0)
    var factor: CholeskyFactor?
    while mean > 0, factor == nil, used <= 10 {
      var damped = [Double](repeating: 0, count: count * count)
      for row in 0..<count {
        for column in 0...row {
          damped[row * count + column] = Double(matrix[reversed[row] * padded + reversed[column]])
        }
        damped[row * count + row] += used * mean
      }
      factor = CholeskyFactor(damped, count: count, pool: pool)
      if factor == nil { used = max(used * 10, 1e-6) }
    }
    self.loading = loading
    self.damping = factor == nil ? 0 : used
    ridge = factor == nil ? 0 : Float(used * mean)
    isDiagonal = factor == nil
    self.factor = factor
    feedback = Self.feedback(factor, count: count, paddedCount: padded)
    pivots = (0..<padded).map { place in
      guard place < count else { return 0 }
      guard let factor else { return matrix[columns[place] * (padded + 1)] }
      let root = factor.lower[(count - 1 - place) * (count + 1)]
      return Float(root * root)
    }
    columnCount = count
    paddedCount = padded
    self.unit = unit
    self.matrix = matrix
    self.diagonal = (0..<padded).map { matrix[$0 * (padded + 1)] }
    inverseDiagonal = self.diagonal.map { $0 > Float.leastNormalMagnitude ? 1 / $0 : 0 }
    self.order = columns.map { UInt32($0) } + (count..<padded).map { UInt32($0) }
  }

  /// The metric of errors that do not meet: the sum over columns of importance times square error.
  init(importance: [Float]) {
    let count = importance.count
    let padded = (count + 7) / 8 * 8
    let largest = importance.reduce(0, max)
    unit = Self.unit(largest)
    columnCount = count
    paddedCount = padded
    let factor = Float(unit)
    diagonal = importance.map { $0 * factor } + [Float](repeating: 0, count: padded - count)
    inverseDiagonal = []
    matrix = []
    order = (0..<padded).map { UInt32($0) }
    feedback = []
    pivots = diagonal
    loading = 0
    damping = 0
    ridge = 0
    isDiagonal = true
    self.factor = nil
  }

  /// Whether errors of different columns do not meet.
  var isSeparable: Bool { matrix.isEmpty }

  /// The power of two that brings `largest` to about 1.
  private static func unit(_ largest: Float) -> Double {
    largest > 0 ? Double(sign: .plus, exponent: -Int(largest.exponent), significand: 1) : 1
  }

  /// The unit triangle of the factor, turned round: with H = U D Uᵀ in the order of rounding, row k holds column k of U
  /// above its diagonal (the form LDLQ of error feedback; Chee et al. 2023, arXiv:2307.13304, section 3 and theorem 6).
  private static func feedback(
    _ factor: CholeskyFactor?, count: Int, paddedCount: Int
  ) -> [Float] {
    guard let lower = factor?.lower else { return [] }
    var feedback = [Float](repeating: 0, count: paddedCount * paddedCount)
    for k in 0..<count {
      let place = count - 1 - k
      let inverse = 1 / lower[place * (count + 1)]
      for j in 0..<k {
        feedback[k * paddedCount + j] = Float(lower[(count - 1 - j) * count + place] * inverse)
      }
    }
    return feedback
  }
}
