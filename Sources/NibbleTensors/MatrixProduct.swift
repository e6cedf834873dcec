internal import CNibbleKernels

#if canImport(COpenBLAS)
  internal import COpenBLAS
#elseif canImport(Accelerate)
  internal import Accelerate
#endif

/// Products of float matrices, for statistics and methods; models use packed weights instead.
public enum MatrixProduct {
  /// Adds `XᵀX` to the upper triangle of `sum`: the second-moment matrix of activations.
  ///
  /// Rows of `sum` are split between threads at multiples of 64, so the result does not depend on the thread count.
  ///
  /// - Parameters:
  ///   - x: `[n, columnCount]`, row-major.
  ///   - n: rows of `x`.
  ///   - columnCount: columns of `x`, rows and columns of `sum`.
  ///   - scale: a factor for the new part.
  ///   - sum: `[columnCount, columnCount]`, row-major; entries below the diagonal within a block of 64 are also
  ///     written.
  ///   - pool: the threads that share the rows of `sum`.
  public static func addOuterProducts(
    _ x: UnsafePointer<Float>, count n: Int, columnCount: Int, scale: Float = 1,
    to sum: UnsafeMutablePointer<Float>, pool: WorkerPool
  ) {
    guard n > 0, columnCount > 0 else { return }
    _ = singleThreadedBLAS
    let block = 64
    let blockCount = (columnCount + block - 1) / block
    // Pairing the first block row with the last gives every pair the same work.
    pool.rows((blockCount + 1) / 2) { pairs in
      for pair in pairs {
        for row in Set([pair, blockCount - 1 - pair]).sorted() {
          let first = row * block
          let rows = min(block, columnCount - first)
          cblas_sgemm(
            CblasRowMajor, CblasTrans, CblasNoTrans, Int32(rows), Int32(columnCount - first),
            Int32(n), scale, x + first, Int32(columnCount), x + first, Int32(columnCount), 1,
            sum + first * columnCount + first, Int32(columnCount))
        }
      }
    }
  }

  /// Adds `XᵀY` to `sum`: how the columns of two matrices of as many rows go together.
  ///
  /// Rows of `sum` are split between threads at multiples of 64, so the result does not depend on the thread count.
  ///
  /// - Parameters:
  ///   - x: `[n, xColumnCount]`, row-major.
  ///   - xColumnCount: columns of `x`, rows of `sum`.
  ///   - y: `[n, yColumnCount]`, row-major.
  ///   - yColumnCount: columns of `y` and of `sum`.
  ///   - n: rows of `x` and `y`.
  ///   - sum: `[xColumnCount, yColumnCount]`, row-major.
  ///   - pool: the threads that share the rows of `sum`.
  public static func addCrossProducts(
    _ x: UnsafePointer<Float>, _ xColumnCount: Int, _ y: UnsafePointer<Float>, _ yColumnCount: Int,
    count n: Int, to sum: UnsafeMutablePointer<Float>, pool: WorkerPool
  ) {
    guard n > 0, xColumnCount > 0, yColumnCount > 0 else { return }
    _ = singleThreadedBLAS
    let block = 64
    pool.rows((xColumnCount + block - 1) / block) { blocks in
      for index in blocks {
        let first = index * block
        cblas_sgemm(
          CblasRowMajor, CblasTrans, CblasNoTrans, Int32(min(block, xColumnCount - first)),
          Int32(yColumnCount), Int32(n), 1, x + first, Int32(xColumnCount), y, Int32(yColumnCount),
          1, sum + first * yColumnCount, Int32(yColumnCount))
      }
    }
  }

  /// `y = x · Wᵀ` for `x` `[n, columnCount]`, `W` `[rowCount, columnCount]` and `y` `[n, rowCount]`, all row-major
  /// without gaps. One chain of fused multiply-adds a result: the same bits for any thread count.
  public static func multiply(
    _ x: UnsafePointer<Float>, count n: Int, _ weights: UnsafePointer<Float>, rowCount: Int,
    columnCount: Int, into y: UnsafeMutablePointer<Float>, pool: WorkerPool
  ) {
    guard n > 0, rowCount > 0 else { return }
    let table = nk_matmul().pointee
    pool.rows(rowCount, grain: Int(nk_matmul_row_grain)) { rows in
      var matrix = nk_matrix(
        type: NK_WEIGHT_F32,
        bytes: UnsafeRawPointer(weights).assumingMemoryBound(to: UInt8.self),
        row_count: rowCount, columns: columnCount)
      var activations = nk_activations()
      activations.values = x
      activations.columns = columnCount
      withUnsafeTemporaryAllocation(
        byteCount: nk_matmul_scratch_bytes(columnCount), alignment: 64
      ) { scratch in
        table.multiply(
          &matrix, rows.lowerBound, rows.count, &activations, n, y + rows.lowerBound, rowCount,
          scratch.baseAddress)
      }
    }
  }

  /// `y = x · Wᵀ` on the calling thread, by the system's linear algebra library: faster than ``multiply`` for many rows, with
  /// bits that depend on the library and the machine, but not on the threads that share the work.
  ///
  /// - Parameters:
  ///   - x: `[n, columnCount]`, row-major.
  ///   - n: rows of `x`.
  ///   - weights: `[rowCount, columnCount]`, row-major.
  ///   - rowCount: rows of the weights.
  ///   - columnCount: columns of `x` and of the weights.
  ///   - y: `[n, rowCount]`; row `i` begins at `i * yStride`.
  ///   - yStride: floats from one result row to the next, at least `rowCount`.
  public static func multiplyByLibrary(
    _ x: UnsafePointer<Float>, count n: Int, _ weights: UnsafePointer<Float>, rowCount: Int,
    columnCount: Int, into y: UnsafeMutablePointer<Float>, yStride: Int
  ) {
    guard n > 0, rowCount > 0, columnCount > 0 else { return }
    _ = singleThreadedBLAS
    cblas_sgemm(
      CblasRowMajor, CblasNoTrans, CblasTrans, Int32(n), Int32(rowCount), Int32(columnCount), 1, x,
      Int32(columnCount), weights, Int32(columnCount), 0, y, Int32(yStride))
  }

  /// Nibble splits work itself; the library's own threads would fight with the pool's.
  private static let singleThreadedBLAS: Void = {
    #if canImport(COpenBLAS)
      openblas_set_num_threads(1)
    #endif
  }()
}
