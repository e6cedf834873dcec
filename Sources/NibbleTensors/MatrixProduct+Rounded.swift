internal import CNibbleKernels

// Products for statistics, whose last digits do not matter: through rounded integers where the machine is faster with these,
// else by the system's library. No bit depends on the number of threads; bits may differ between machines.
extension MatrixProduct {
  /// Bytes of packed rows that stay near while all weights pass by.
  private static let packedByteCount = 1 << 18
  /// Rows whose products are summed at a time: two panels of so many elements fit the nearest cache.
  private static let momentRowCount = 512

  /// `y = x Wᵀ`, rounded.
  ///
  /// - Parameters:
  ///   - x: `[n, columnCount]`, row-major.
  ///   - n: rows of `x`.
  ///   - weights: `[rowCount, columnCount]`, row-major.
  ///   - rowCount: rows of the weights.
  ///   - columnCount: columns of `x` and of the weights.
  ///   - y: `[n, rowCount]`; row `i` begins at `i * yStride`.
  ///   - yStride: floats from one result row to the next, at least `rowCount`.
  ///   - pool: the threads that share the rows of `x`.
  public static func multiplyRounded(
    _ x: UnsafePointer<Float>, count n: Int, _ weights: UnsafePointer<Float>, rowCount: Int,
    columnCount: Int, into y: UnsafeMutablePointer<Float>, yStride: Int, pool: WorkerPool
  ) {
    guard n > 0, rowCount > 0, columnCount > 0 else { return }
    guard let table = PanelMatrix.fastTable else {
      let length = 512
      pool.rows((n + length - 1) / length) { chunks in
        for chunk in chunks {
          let first = chunk * length
          multiplyByLibrary(
            x + first * columnCount, count: min(length, n - first), weights, rowCount: rowCount,
            columnCount: columnCount, into: y + first * yStride, yStride: yStride)
        }
      }
      return
    }
    let right = PanelMatrix(rowCount: rowCount, count: columnCount, table)
    let width = PanelMatrix.panelRowCount
    pool.rows(right.panelCount) { panels in
      for panel in panels {
        right.pack(panel: panel, rows: weights + panel * width * columnCount, stride: columnCount)
      }
    }
    let length = width * min(16, max(4, packedByteCount / (2 * width * columnCount)))
    pool.rows((n + length - 1) / length) { chunks in
      for chunk in chunks {
        let first = chunk * length
        let left = PanelMatrix(rowCount: min(length, n - first), count: columnCount, table)
        for panel in 0..<left.panelCount {
          left.pack(
            panel: panel, rows: x + (first + panel * width) * columnCount, stride: columnCount)
        }
        for column in 0..<right.panelCount {
          for row in 0..<left.panelCount {
            left.multiply(
              panel: row, right, panel: column, isAdding: false,
              into: y + (first + row * width) * yStride + column * width, stride: yStride)
          }
        }
      }
    }
  }

  /// Adds `XᵀX` to the upper triangle of `sum`, rounded: the second moments of activations.
  ///
  /// - Parameters:
  ///   - x: `[n, columnCount]`, row-major.
  ///   - n: rows of `x`.
  ///   - columnCount: columns of `x`, rows and columns of `sum`.
  ///   - sum: `[columnCount, columnCount]`, row-major; entries near below the diagonal are also written.
  ///   - pool: the threads that share the work.
  public static func addOuterProductsRounded(
    _ x: UnsafePointer<Float>, count n: Int, columnCount: Int, to sum: UnsafeMutablePointer<Float>,
    pool: WorkerPool
  ) {
    guard let table = PanelMatrix.fastTable else {
      return addOuterProducts(x, count: n, columnCount: columnCount, to: sum, pool: pool)
    }
    for first in stride(from: 0, to: n, by: momentRowCount) {
      let count = min(momentRowCount, n - first)
      let panels = packedColumns(x + first * columnCount, count, columnCount, table, pool)
      add(panels, panels, isUpperOnly: true, to: sum, pool)
    }
  }

  /// Adds `XᵀY` to `sum`, rounded: how the columns of two matrices of as many rows go together.
  ///
  /// - Parameters:
  ///   - x: `[n, xColumnCount]`, row-major.
  ///   - xColumnCount: columns of `x`, rows of `sum`.
  ///   - y: `[n, yColumnCount]`, row-major.
  ///   - yColumnCount: columns of `y` and of `sum`.
  ///   - n: rows of `x` and `y`.
  ///   - sum: `[xColumnCount, yColumnCount]`, row-major.
  ///   - pool: the threads that share the work.
  public static func addCrossProductsRounded(
    _ x: UnsafePointer<Float>, _ xColumnCount: Int, _ y: UnsafePointer<Float>, _ yColumnCount: Int,
    count n: Int, to sum: UnsafeMutablePointer<Float>, pool: WorkerPool
  ) {
    guard let table = PanelMatrix.fastTable else {
      return addCrossProducts(x, xColumnCount, y, yColumnCount, count: n, to: sum, pool: pool)
    }
    for first in stride(from: 0, to: n, by: momentRowCount) {
      let count = min(momentRowCount, n - first)
      add(
        packedColumns(x + first * xColumnCount, count, xColumnCount, table, pool),
        packedColumns(y + first * yColumnCount, count, yColumnCount, table, pool),
        isUpperOnly: false, to: sum, pool)
    }
  }

  private static func packedColumns(
    _ x: UnsafePointer<Float>, _ n: Int, _ columnCount: Int, _ table: nk_panel_table,
    _ pool: WorkerPool
  ) -> PanelMatrix {
    let result = PanelMatrix(rowCount: columnCount, count: n, table)
    pool.rows(result.panelCount) { panels in
      for panel in panels {
        result.pack(
          panel: panel, columns: x + panel * PanelMatrix.panelRowCount, stride: columnCount)
      }
    }
    return result
  }

  /// Adds the products of all rows of `left` with all of `right`, or with those panels that are not before their own.
  private static func add(
    _ left: PanelMatrix, _ right: PanelMatrix, isUpperOnly: Bool,
    to sum: UnsafeMutablePointer<Float>, _ pool: WorkerPool
  ) {
    let width = PanelMatrix.panelRowCount
    let columnCount = right.rowCount
    // Eight panels stay near while one after another of the others passes by.
    let blockCount = (right.panelCount + 7) / 8
    pool.rows((blockCount + 1) / 2) { pairs in
      for pair in pairs {
        // Pairing the first block with the last gives every pair the same work.
        for block in Set([pair, blockCount - 1 - pair]).sorted() {
          let columns = 8 * block..<min(8 * block + 8, right.panelCount)
          for row in 0..<(isUpperOnly ? columns.upperBound : left.panelCount) {
            for column in columns where !isUpperOnly || column >= row {
              left.multiply(
                panel: row, right, panel: column, isAdding: true,
                into: sum + row * width * columnCount + column * width, stride: columnCount)
            }
          }
        }
      }
    }
  }
}
