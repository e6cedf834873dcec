import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct ErrorFeedbackTests {
  /// No row's objective is above that of round-to-nearest, and the layer's is far below; what is reported is true.
  @Test(arguments: feedbackSchemes)
  func neverWorseThanRoundToNearest(scheme: Scheme) throws {
    let columnCount = 256
    let weights = TestWeights.gaussian(count: 6 * columnCount, seed: 2).map { $0 * 0.05 }
    let statistics = try FeedbackSamples.wide.get()
    let (tensor, report) = try ErrorFeedback().quantize(
      weights, columnCount: columnCount, as: scheme, statistics)
    let isBlock = GGMLType(scheme: scheme) != nil
    let plain = try weights.withUnsafeBufferPointer {
      try RoundToNearest(range: isBlock ? nil : MeanSquaredError()).quantize(
        $0, rowCount: 6, columnCount: columnCount, as: scheme)
    }
    let before = FeedbackSamples.objectives(
      weights, plain.dequantized(), statistics.hessian, columnCount)
    let after = FeedbackSamples.objectives(
      weights, tensor.dequantized(), statistics.hessian, columnCount)
    for row in 0..<6 { #expect(after[row] <= before[row] * 1.00001, "row \(row)") }
    let (sumBefore, sumAfter) = (before.reduce(0, +), after.reduce(0, +))
    #expect(sumAfter < 0.6 * sumBefore, "\(scheme): \(sumAfter / sumBefore)")
    #expect(abs(report.objectiveBefore - sumBefore) < 1e-4 * sumBefore)
    #expect(abs(report.objectiveAfter - sumAfter) < 1e-3 * sumAfter)
    #expect(report.unchangedRowCount == 0)
    #expect(tensor.scheme == scheme)
    let isFinite = tensor.dequantized().allSatisfy { $0.isFinite }
    #expect(isFinite)
    if isBlock {
      let parts = try GGMLBlocks().pack(tensor)
      let back = try GGMLBlocks().unpack(
        parts, rowCount: 6, columnCount: columnCount, scheme: scheme)
      #expect(back == tensor)
    }
  }

  /// The same bytes for one, two and three threads, and for a row alone.
  @Test(arguments: ["q4_0", "q2_k", "int3-g64-asym", "kmeans3-row"])
  func threadsChangeNothing(name: String) throws {
    let scheme = try #require(GGMLType(name: name)?.scheme ?? Scheme(name: name))
    let columnCount = 256
    let weights = TestWeights.gaussian(count: 19 * columnCount, seed: 3)
    let statistics = try FeedbackSamples.wide.get()
    let one = try ErrorFeedback().quantize(
      weights, columnCount: columnCount, as: scheme, statistics, threadCount: 1)
    for threadCount in 2...3 {
      let other = try ErrorFeedback().quantize(
        weights, columnCount: columnCount, as: scheme, statistics, threadCount: threadCount)
      #expect(one.0 == other.0)
      #expect(one.1 == other.1)
    }
    let row = Array(weights[9 * columnCount..<10 * columnCount])
    let alone = try ErrorFeedback().quantize(
      row, columnCount: columnCount, as: scheme, statistics)
    #expect(Array(one.0.codes[9 * columnCount..<10 * columnCount]) == alone.0.codes)
  }

  /// Without refinement the codes are those of GPTQ by the book, in double precision, on the same grids.
  @Test(arguments: [ErrorFeedback.Order.natural, .descendingImportance])
  func sweepIsGPTQ(order: ErrorFeedback.Order) throws {
    let (rowCount, columnCount) = (11, 48)
    let weights = TestWeights.gaussian(count: rowCount * columnCount, seed: 5)
    let statistics = try FeedbackSamples.statistics(columnCount)
    let scheme = try #require(Scheme(name: "int4-g16-sym"))
    var method = ErrorFeedback()
    method.order = order
    method.damping = 0.01
    method.loading = 0
    method.refinementRounds = 0
    let (tensor, report) = try method.quantize(
      weights, columnCount: columnCount, as: scheme, statistics)
    #expect(report.unchangedRowCount == 0)
    #expect(report.damping == 0.01)
    let scales = tensor.scales.values()
    var columns = Array(0..<columnCount)
    if order == .descendingImportance {
      columns.sort { statistics.importance[$0] > statistics.importance[$1] }
    }
    let upper = ReferenceGPTQ.inverseFactor(statistics.hessian, columns, damping: 0.01)
    for row in 0..<rowCount {
      let codes = ReferenceGPTQ.codes(
        Array(weights[row * columnCount..<(row + 1) * columnCount]), columns, upper
      ) { column, value in
        let scale = Double(scales[row * 3 + column / 16])
        let level = min(max((value / scale).rounded(.toNearestOrEven), -8), 7)
        return (UInt8(level + 8), level * scale)
      }
      #expect(codes == Array(tensor.codes[row * columnCount..<(row + 1) * columnCount]))
    }
  }
}

/// GPTQ as its paper writes it: one column after another, by the Cholesky factor of the inverse.
enum ReferenceGPTQ {
  /// The upper factor U of (H + damping)⁻¹ = Uᵀ U, with columns in the order of rounding.
  static func inverseFactor(_ hessian: [Float], _ columns: [Int], damping: Double) -> [[Double]] {
    let n = columns.count
    var mean = 0.0
    for column in columns { mean += Double(hessian[column * (n + 1)]) / Double(n) }
    var a = columns.map { i in columns.map { j in Double(hessian[i * n + j]) } }
    var inverse = (0..<n).map { i in (0..<n).map { $0 == i ? 1.0 : 0.0 } }
    for i in 0..<n { a[i][i] += damping * mean }
    for pivot in 0..<n {
      let factor = 1 / a[pivot][pivot]
      for j in 0..<n {
        a[pivot][j] *= factor
        inverse[pivot][j] *= factor
      }
      for i in 0..<n where i != pivot {
        let amount = a[i][pivot]
        for j in 0..<n {
          a[i][j] -= amount * a[pivot][j]
          inverse[i][j] -= amount * inverse[pivot][j]
        }
      }
    }
    var upper = [[Double]](repeating: [Double](repeating: 0, count: n), count: n)
    for i in 0..<n {
      for j in i..<n {
        var sum = inverse[i][j]
        for k in 0..<i { sum -= upper[k][i] * upper[k][j] }
        upper[i][j] = i == j ? sum.squareRoot() : sum / upper[i][i]
      }
    }
    return upper
  }

  /// The codes of a row, in the order of its columns.
  static func codes(
    _ row: [Float], _ columns: [Int], _ upper: [[Double]],
    round: (Int, Double) -> (code: UInt8, value: Double)
  ) -> [UInt8] {
    var work = columns.map { Double(row[$0]) }
    var codes = [UInt8](repeating: 0, count: row.count)
    for i in columns.indices {
      let (code, value) = round(columns[i], work[i])
      codes[columns[i]] = code
      let error = (work[i] - value) / upper[i][i]
      for j in i..<columns.count { work[j] -= error * upper[i][j] }
    }
    return codes
  }
}
