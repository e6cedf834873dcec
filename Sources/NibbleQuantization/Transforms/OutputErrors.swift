internal import NibbleTensors

/// What errors in a layer's weights do to its outputs.
enum OutputErrors {
  /// Rows that are multiplied at a time.
  private static let pieceRowCount = 64

  /// The mean square error of each output: e H eᵀ for each row e of `errors`.
  ///
  /// - Parameters:
  ///   - errors: `[rows, columnCount]`, row-major.
  ///   - hessian: `[columnCount, columnCount]`: the mean of xᵀx, symmetric.
  ///   - columnCount: input features.
  ///   - pool: threads that share pieces of rows; the result is the same for any number of them.
  /// - Returns: `[rows]`.
  static func rows(
    _ errors: [Float], _ hessian: [Float], columnCount: Int, pool: WorkerPool
  ) -> [Double] {
    let rowCount = columnCount > 0 ? errors.count / columnCount : 0
    var sums = [Double](repeating: 0, count: rowCount)
    errors.withUnsafeBufferPointer { errors in
      hessian.withUnsafeBufferPointer { hessian in
        sums.withUnsafeMutableBufferPointer { sums in
          pool.rows((rowCount + pieceRowCount - 1) / pieceRowCount) { pieces in
            guard let errors = errors.baseAddress, let hessian = hessian.baseAddress else { return }
            withUnsafeTemporaryAllocation(
              of: Float.self, capacity: pieceRowCount * columnCount
            ) { products in
              guard let products = products.baseAddress else { return }
              for piece in pieces {
                let first = piece * pieceRowCount
                let count = min(pieceRowCount, rowCount - first)
                let part = errors + first * columnCount
                MatrixProduct.multiplyByLibrary(
                  part, count: count, hessian, rowCount: columnCount, columnCount: columnCount,
                  into: products, yStride: columnCount)
                for row in 0..<count {
                  let place = row * columnCount
                  sums[first + row] = dot(part + place, products + place, columnCount)
                }
              }
            }
          }
        }
      }
    }
    return sums
  }

  /// Σ xy, in eight lanes and blocks of 512 that are added in double precision.
  static func dot(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ count: Int) -> Double {
    var sum = 0.0
    var index = 0
    while index + 8 <= count {
      let end = min(index + 512, count)
      var lanes = SIMD8<Float>.zero
      while index + 8 <= end {
        for lane in 0..<8 { lanes[lane] += x[index + lane] * y[index + lane] }
        index += 8
      }
      sum += Double(lanes.sum())
    }
    while index < count {
      sum += Double(x[index]) * Double(y[index])
      index += 1
    }
    return sum
  }
}
