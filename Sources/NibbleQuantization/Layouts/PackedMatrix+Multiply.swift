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
  ///   - rounded: the codes of `x`, where they are there already.
  public func multiply(
    _ x: UnsafePointer<Float>, count n: Int, into y: UnsafeMutablePointer<Float>, yStride: Int,
    pool: WorkerPool, scratch: ActivationScratch, rounded: RoundedActivations? = nil
  ) {
    NibbleQuantization.multiply(
      [self], x, count: n, into: [y], yStrides: [yStride], pool: pool, scratch: scratch,
      rounded: rounded)
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
///   - rounded: the codes of `x`, where they are there already.
public func multiply(
  _ matrices: [PackedMatrix], _ x: UnsafePointer<Float>, count n: Int,
  into outputs: [UnsafeMutablePointer<Float>], yStrides: [Int],
  pool: WorkerPool, scratch: ActivationScratch, rounded: RoundedActivations? = nil
) {
  precondition(outputs.count == matrices.count && yStrides.count == matrices.count)
  guard let columnCount = matrices.first?.columnCount, n > 0 else { return }
  precondition(matrices.allSatisfy { $0.columnCount == columnCount })
  guard matrices.contains(where: { $0.activationOrder != nil }) else {
    return multiplyTogether(
      matrices, x, count: n, into: outputs, yStrides: yStrides, pool: pool, scratch: scratch,
      rounded: rounded)
  }
  // Neighbours that order their columns alike share the activations in that order.
  var first = 0
  while first < matrices.count {
    let order = matrices[first].activationOrder
    var end = first + 1
    while end < matrices.count, matrices[end].activationOrder == order { end += 1 }
    var activations = x
    if let order {
      activations = scratch.ordered(
        x, columnCount: columnCount, count: n, order: order, pool: pool)
    }
    multiplyTogether(
      Array(matrices[first..<end]), activations, count: n, into: Array(outputs[first..<end]),
      yStrides: Array(yStrides[first..<end]), pool: pool, scratch: scratch,
      rounded: order == nil ? rounded : nil)
    first = end
  }
}

/// As ``multiply(_:_:count:into:yStrides:pool:scratch:rounded:)``, with activations in the order of the matrices' columns.
private func multiplyTogether(
  _ matrices: [PackedMatrix], _ x: UnsafePointer<Float>, count n: Int,
  into outputs: [UnsafeMutablePointer<Float>], yStrides: [Int],
  pool: WorkerPool, scratch: ActivationScratch, rounded: RoundedActivations?
) {
  guard let columnCount = matrices.first?.columnCount else { return }
  let table = ActivationScratch.kernels
  let activations = scratch.activations(
    x, columnCount: columnCount, count: n,
    form: matrices.map(\.activationForm).max() ?? .floats, rounded: rounded, pool: pool)
  let grain = Int(nk_matmul_row_grain)
  let panels = scratch.panels(
    columnCount: columnCount, expandedRowCount: matrices.contains(where: \.isExpanded) ? grain : 0,
    threadCount: pool.threadCount)
  let groupCount = matrices.reduce(0) { $0 + ($1.rowCount + grain - 1) / grain }

  // The row groups of all matrices are laid end to end. With many activation rows a group is work enough for a chunk; with few, a
  // thread reads one stretch of memory in order.
  pool.chunks(groupCount, perThread: n < 16 ? 1 : groupCount) { thread, groups in
    var matrixStart = 0
    for (index, matrix) in matrices.enumerated() {
      let matrixEnd = matrixStart + (matrix.rowCount + grain - 1) / grain
      let taken = groups.clamped(to: matrixStart..<matrixEnd)
      if !taken.isEmpty {
        let rows =
          (taken.lowerBound - matrixStart)
          * grain..<min(matrix.rowCount, (taken.upperBound - matrixStart) * grain)
        if case .strips(let strips) = matrix.body {
          strips.multiply(
            rows, activations, count: n, into: outputs[index] + rows.lowerBound,
            yStride: yStrides[index], scratch: panels.panel(thread))
        }
        matrix.withKernelMatrices(rows, expandingInto: panels.expanded(thread)) {
          weights, taken, offset in
          var activations = activations
          table.multiply(
            &weights, taken.lowerBound, taken.count, &activations, n,
            outputs[index] + rows.lowerBound + offset, yStrides[index], panels.panel(thread))
        }
      }
      matrixStart = matrixEnd
    }
  }
}

extension PackedMatrix {
  /// How products take the activations.
  package var activationForm: ActivationForm {
    switch (body, element) {
    case (.strips(let strips), _): strips.activationForm
    case (.scheme, _), (_, .blocks(.f32)), (_, .blocks(.f16)), (_, .blocks(.bf16)): .floats
    case (.bytes(_, let type, _), .blocks):
      ActivationScratch.kernels.takes_words(type) != 0 ? .words : .codes
    case (.bytes, _): .floats
    }
  }

  /// The order of columns to which activations are brought before they are quantized; nil for their own.
  var activationOrder: [Int32]? {
    if case .strips(let strips) = body { strips.columnOrder } else { nil }
  }

  /// Whether rows are expanded to floats before they are multiplied.
  var isExpanded: Bool {
    if case .scheme = body { true } else { false }
  }

  /// Calls `use` with matrices as the kernels see them, which together hold the rows `rows`; strips have kernels of their
  /// own and none of these.
  ///
  /// - Parameters:
  ///   - rows: the rows of the result.
  ///   - expanded: room for `nk_matmul_row_grain` rows of floats, where ``isExpanded``.
  ///   - use: takes a matrix, and which of its rows belong to the result's rows from `offset` on.
  func withKernelMatrices(
    _ rows: Range<Int>, expandingInto expanded: UnsafeMutablePointer<Float>,
    _ use: (_ matrix: inout nk_matrix, _ rows: Range<Int>, _ offset: Int) -> Void
  ) {
    switch body {
    case .bytes(let bytes, let weightType, _):
      bytes.withUnsafeBytes { bytes in
        var matrix = nk_matrix(
          type: weightType, bytes: bytes.bindMemory(to: UInt8.self).baseAddress,
          row_count: rowCount, columns: columnCount)
        use(&matrix, rows, 0)
      }
    case .scheme(let stored):
      let grain = Int(nk_matmul_row_grain)
      for first in stride(from: rows.lowerBound, to: rows.upperBound, by: grain) {
        let count = min(grain, rows.upperBound - first)
        stored.decode(first..<first + count, into: expanded)
        let byteCount = count * columnCount * MemoryLayout<Float>.stride
        expanded.withMemoryRebound(to: UInt8.self, capacity: byteCount) { bytes in
          var matrix = nk_matrix(
            type: NK_WEIGHT_F32, bytes: bytes, row_count: count, columns: columnCount)
          use(&matrix, 0..<count, first - rows.lowerBound)
        }
      }
    case .strips: break
    }
  }
}
