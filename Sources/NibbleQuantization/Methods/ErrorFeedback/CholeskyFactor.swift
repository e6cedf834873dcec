internal import CNibbleKernels
internal import NibbleTensors

/// The kernels of this machine.
let feedbackKernels: nk_feedback_table = nk_feedback().pointee

/// The lower triangle L of a symmetric positive definite matrix L Lᵀ, in double precision.
struct CholeskyFactor {
  let count: Int
  /// `[count, count]`; what is above the diagonal has no meaning.
  private(set) var lower: [Double]

  /// Factors a matrix, block of columns by block of columns; nil when it is not positive definite.
  ///
  /// - Parameters:
  ///   - matrix: `[count, count]`, of which the lower half is read.
  ///   - count: rows and columns.
  ///   - pool: threads that share the rows.
  /// - Complexity: O(count³ / 6) multiply-adds.
  init?(_ matrix: consuming [Double], count: Int, pool: WorkerPool) {
    precondition(matrix.count == count * count)
    self.count = count
    lower = matrix
    let width = 64
    let isDefinite = lower.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return true }
      for start in stride(from: 0, to: count, by: width) {
        let length = min(width, count - start)
        let panel = base + start * count
        pool.rows(count - start, grain: 8) { rows in
          let first = panel + rows.lowerBound * count
          feedbackKernels.subtract_products(
            first + start, count, rows.count, length, first, count, panel, count, start)
        }
        guard feedbackKernels.factor(panel + start, count, length) != 0 else { return false }
        let rest = start + length
        pool.rows(count - rest, grain: 8) { rows in
          feedbackKernels.solve_rows(
            base + (rest + rows.lowerBound) * count + start, count, rows.count, panel + start,
            count, length)
        }
      }
      return true
    }
    guard isDefinite, (0..<count).allSatisfy({ lower[$0 * (count + 1)].isFinite }) else {
      return nil
    }
  }
}
