internal import CNibbleKernels
public import NibbleTensors

extension PackedMatrix {
  /// Computes `y[i, r] = Σ x[i, c] · W[r, c]`.
  ///
  /// - Parameters:
  ///   - x: activations `[n, columnCount]`, row-major.
  ///   - n: activation rows.
  ///   - y: results `[n, rowCount]`; row `i` begins at `i * yStride`.
  ///   - yStride: floats from one result row to the next, at least `rowCount`.
  ///   - pool: the threads that share the rows of `W`.
  ///   - scratch: buffers, used by one product at a time.
  public func multiply(
    _ x: UnsafePointer<Float>, count n: Int, into y: UnsafeMutablePointer<Float>, yStride: Int,
    pool: WorkerPool, scratch: ActivationScratch
  ) {
    NibbleQuantization.multiply(
      [self], x, count: n, into: [y], yStrides: [yStride], pool: pool, scratch: scratch)
  }
}

/// Multiplies several matrices with the same activations: these are quantized once, and all rows are shared among the
/// threads in one go (query, key and value; gate and up).
///
/// - Parameters:
///   - matrices: matrices of one `columnCount`.
///   - x: activations `[n, columnCount]`, row-major.
///   - n: activation rows.
///   - outputs: one result `[n, rowCount]` a matrix; they do not overlap.
///   - yStrides: for each matrix, the floats from one result row to the next.
///   - pool: the threads that share the rows of the matrices.
///   - scratch: buffers, used by one product at a time.
public func multiply(
  _ matrices: [PackedMatrix], _ x: UnsafePointer<Float>, count n: Int,
  into outputs: [UnsafeMutablePointer<Float>], yStrides: [Int],
  pool: WorkerPool, scratch: ActivationScratch
) {
  precondition(outputs.count == matrices.count && yStrides.count == matrices.count)
  guard let columnCount = matrices.first?.columnCount, n > 0 else { return }
  precondition(matrices.allSatisfy { $0.columnCount == columnCount })
  let table = ActivationScratch.kernels
  let activations = scratch.activations(
    x, columnCount: columnCount, count: n,
    quantized: matrices.contains { !$0.isPlain }, pool: pool)
  let panels = scratch.panels(columnCount: columnCount, threadCount: pool.threadCount)
  let grain = Int(nk_matmul_row_grain)
  let groupCount = matrices.reduce(0) { $0 + ($1.rowCount + grain - 1) / grain }
  let partCount = min(pool.threadCount, groupCount)

  // Part p takes a contiguous range of the row groups of all matrices laid end to end.
  pool.rows(partCount) { parts in
    for part in parts {
      var first = groupCount * part / partCount
      let end = groupCount * (part + 1) / partCount
      var matrixStart = 0
      for (index, matrix) in matrices.enumerated() {
        let matrixEnd = matrixStart + (matrix.rowCount + grain - 1) / grain
        if first < min(end, matrixEnd) {
          let rows =
            (first - matrixStart)
            * grain..<min(matrix.rowCount, (min(end, matrixEnd) - matrixStart) * grain)
          matrix.withKernelMatrix { weights in
            var activations = activations
            table.multiply(
              &weights, rows.lowerBound, rows.count, &activations, n,
              outputs[index] + rows.lowerBound, yStrides[index], panels.panel(part))
          }
          first = min(end, matrixEnd)
        }
        matrixStart = matrixEnd
      }
    }
  }
}

extension PackedMatrix {
  var isPlain: Bool {
    if case .plain = element { return true }
    return element == .blocks(.f32) || element == .blocks(.f16) || element == .blocks(.bf16)
  }

  /// Calls `body` with the matrix as the kernels see it.
  func withKernelMatrix(_ body: (inout nk_matrix) -> Void) {
    bytes.withUnsafeBytes { bytes in
      var matrix = nk_matrix(
        type: weightType, bytes: bytes.bindMemory(to: UInt8.self).baseAddress,
        row_count: rowCount, columns: columnCount)
      body(&matrix)
    }
  }
}
