internal import NibbleModels
internal import NibbleQuantization
internal import NibbleTensors

/// Adds up the statistics of one stage's input.
///
/// Columns are shared among threads and rows are taken in order, so that the sums are the same bits for any thread count.
final class StageAccumulator {
  private var result: InputStatistics
  private let statistics: CalibrationStatistics
  private let pool: WorkerPool
  private var hessian: [Float]
  /// The sums of dᵀx̂ over the tokens of each half, d the change of inputs or what outputs lack.
  private var changes: [[Float]] = []
  private var areOutputs = false
  /// What all rows count in second moments.
  private var weightSum = 0.0
  private var magnitudeSums: [Double]
  private var largest: [Float]
  /// Rows whose squares are added in single precision before they are added in double.
  private let chunk = 32

  init(_ stage: CalibrationStage, _ statistics: CalibrationStatistics, _ pool: WorkerPool) {
    let count = stage.columnCount
    result = InputStatistics(stage)
    self.statistics = statistics
    self.pool = pool
    hessian = statistics.contains(.secondMoments) ? [Float](repeating: 0, count: count * count) : []
    let hasMagnitudes = statistics.contains(.magnitudes)
    magnitudeSums = hasMagnitudes ? [Double](repeating: 0, count: count) : []
    largest = hasMagnitudes ? [Float](repeating: 0, count: count) : []
    if statistics.contains(.histogram) { result.histogram = Histogram(.values) }
  }

  func observe(_ rows: StageRows) {
    guard let x = rows.current, rows.rowCount > 0 else { return }
    let (rowCount, columnCount) = (rows.rowCount, result.columnCount)
    result.tokenCount += rowCount
    addSquares(x, rowCount)
    if statistics.contains(.magnitudes) { addMagnitudes(x, rowCount) }
    result.histogram?.observe(UnsafeBufferPointer(start: x, count: rowCount * columnCount))
    if statistics.contains(.secondMoments) { addMoments(rows, x) }
  }

  private func addMoments(_ rows: StageRows, _ x: UnsafePointer<Float>) {
    let (rowCount, columnCount) = (rows.rowCount, result.columnCount)
    weightSum += rows.weights?.reduce(0) { $0 + Double($1) } ?? Double(rowCount)
    weighted(x, columnCount, rows) { x in
      hessian.withUnsafeMutableBufferPointer { sum in
        guard let sum = sum.baseAddress else { return }
        MatrixProduct.addOuterProductsRounded(
          x, count: rowCount, columnCount: columnCount, to: sum, pool: pool)
      }
      if let lack = rows.lack {
        areOutputs = true
        weighted(lack.values, lack.width, rows) { addChange($0, lack.width, x, rowCount) }
      } else if let original = rows.original, let replaced = rows.replaced {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: rowCount * columnCount) { change in
          guard let change = change.baseAddress else { return }
          pool.rows(rowCount) { part in
            for index in part.lowerBound * columnCount..<part.upperBound * columnCount {
              change[index] = original[index] - replaced[index]
            }
          }
          weighted(change, columnCount, rows) { addChange($0, columnCount, x, rowCount) }
        }
      }
    }
  }

  /// Adds the first rows to one half and the others to the other, so that no token is in both.
  private func addChange(
    _ change: UnsafePointer<Float>, _ width: Int, _ x: UnsafePointer<Float>, _ rowCount: Int
  ) {
    let columnCount = result.columnCount
    if changes.isEmpty {
      changes = [0, 1].map { _ in [Float](repeating: 0, count: width * columnCount) }
    }
    for (half, rows) in [0..<rowCount / 2, rowCount / 2..<rowCount].enumerated() {
      changes[half].withUnsafeMutableBufferPointer { sum in
        guard let sum = sum.baseAddress else { return }
        MatrixProduct.addCrossProductsRounded(
          change + rows.lowerBound * width, width, x + rows.lowerBound * columnCount, columnCount,
          count: rows.count, to: sum, pool: pool)
      }
    }
  }

  /// Calls `body` with the rows of `x`, each multiplied by the root of its weight.
  private func weighted(
    _ x: UnsafePointer<Float>, _ width: Int, _ rows: StageRows,
    _ body: (UnsafePointer<Float>) -> Void
  ) {
    guard let weights = rows.weights else { return body(x) }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: rows.rowCount * width) { copy in
      guard let copy = copy.baseAddress else { return }
      pool.rows(rows.rowCount) { part in
        for row in part {
          VectorKernels.scale(
            x + row * width, by: weights[row].squareRoot(), count: width, into: copy + row * width)
        }
      }
      body(copy)
    }
  }

  private func addSquares(_ x: UnsafePointer<Float>, _ rowCount: Int) {
    let columnCount = result.columnCount
    result.squareSums.withUnsafeMutableBufferPointer { sums in
      guard let sums = sums.baseAddress else { return }
      pool.rows(columnCount, grain: 64) { columns in
        withUnsafeTemporaryAllocation(of: Float.self, capacity: columns.count) { part in
          guard let part = part.baseAddress else { return }
          for first in stride(from: 0, to: rowCount, by: chunk) {
            part.update(repeating: 0, count: columns.count)
            for row in first..<min(first + chunk, rowCount) {
              let values = x + row * columnCount + columns.lowerBound
              for column in 0..<columns.count { part[column] += values[column] * values[column] }
            }
            let target = sums + columns.lowerBound
            for column in 0..<columns.count { target[column] += Double(part[column]) }
          }
        }
      }
    }
  }

  private func addMagnitudes(_ x: UnsafePointer<Float>, _ rowCount: Int) {
    let columnCount = result.columnCount
    magnitudeSums.withUnsafeMutableBufferPointer { sums in
      largest.withUnsafeMutableBufferPointer { largest in
        for row in 0..<rowCount {
          let values = x + row * columnCount
          for column in 0..<columnCount {
            let value = abs(values[column])
            sums[column] += Double(value)
            largest[column] = value > largest[column] ? value : largest[column]
          }
        }
      }
    }
  }

  /// The statistics of all rows that were observed.
  func finish() -> InputStatistics {
    let columnCount = result.columnCount
    let factor = weightSum > 0 ? Float(1 / weightSum) : 1
    if statistics.contains(.secondMoments) {
      hessian.withUnsafeMutableBufferPointer { h in
        for row in 0..<columnCount {
          for column in row..<columnCount {
            let value = h[row * columnCount + column] * factor
            h[row * columnCount + column] = value
            h[column * columnCount + row] = value
          }
        }
      }
      result.hessian = hessian
      if !changes.isEmpty {
        let (first, second) = (changes[0].map { $0 * factor }, changes[1].map { $0 * factor })
        result.change = areOutputs ? .outputs(first, second) : .inputs(first, second)
      }
    }
    if statistics.contains(.magnitudes) {
      result.meanMagnitudes = magnitudeSums.map { $0 / Double(max(1, result.tokenCount)) }
      result.largestMagnitudes = largest
    }
    return result
  }
}
