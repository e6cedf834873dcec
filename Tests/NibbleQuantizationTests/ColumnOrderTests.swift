import NibbleQuantization
import NibbleTensors
import Testing

/// Groups of columns that are alike, rather than neighbours (`desc_act`).
@Suite struct ColumnOrderTests {
  private let columnCount = 256
  private let weights = TestWeights.gaussian(count: 6 * 256, seed: 2).map { $0 * 0.05 }
  private let scheme: Scheme

  init() throws { scheme = try #require(Scheme(name: "int3-g64-asym-act")) }

  /// The result is that of ordered weights with ordered statistics, its values back in their places.
  @Test(arguments: ["int3-g64-asym-act", "int4-g32-sym-act", "nf4-g64-act", "mxfp4-act"])
  func isThePlainMethodOnOrderedColumns(name: String) throws {
    let scheme = try #require(Scheme(name: name))
    let statistics = try FeedbackSamples.wide.get()
    let (tensor, report) = try ErrorFeedback().quantize(
      weights, columnCount: columnCount, as: scheme, statistics)
    let order = try #require(tensor.columnOrder).map { Int($0) }
    #expect(order.sorted() == Array(0..<columnCount))
    let length = scheme.name?.contains("g32") ?? false || name == "mxfp4-act" ? 32 : 64
    let groups = stride(from: 0, to: columnCount, by: length).map { order[$0..<$0 + length] }
    for (one, next) in zip(groups, groups.dropFirst()) {
      let least = one.map { statistics.importance[$0] }.min() ?? 0
      #expect(next.allSatisfy { statistics.importance[$0] <= least })
      #expect(Array(one) == one.sorted())
    }
    // The method saw the columns by importance; those of a group are stored as they stand.
    let sorted = (0..<columnCount).sorted {
      (statistics.importance[$0], $1) > (statistics.importance[$1], $0)
    }
    let moved = (0..<6).flatMap { row in sorted.map { weights[row * columnCount + $0] } }
    let hessian = sorted.flatMap { row in sorted.map { statistics.hessian[row * columnCount + $0] }
    }
    var natural = ErrorFeedback()
    natural.order = .natural
    let (plain, plainReport) = try natural.quantize(
      moved, columnCount: columnCount, as: scheme.inNaturalOrder,
      LayerStatistics(
        columnCount: columnCount, tokenCount: statistics.tokenCount, hessian: hessian))
    #expect(report == plainReport)
    let values = tensor.dequantized()
    let plainValues = plain.dequantized()
    for row in 0..<6 {
      for (place, column) in sorted.enumerated() {
        #expect(values[row * columnCount + column] == plainValues[row * columnCount + place])
      }
    }
  }

  /// What the layer should make up for moves with its columns.
  @Test func changesMoveToo() throws {
    let x = FeedbackSamples.inputs(columnCount, tokenCount: 600, seed: 3)
    let hessian = FeedbackSamples.moments(x, x, columnCount: columnCount)
    let half = hessian.map { $0 * 0.02 }
    let rows = Array(half[..<(6 * columnCount)])
    for change in [LayerStatistics.Change.inputs(half, half), .outputs(rows, rows)] {
      let (tensor, report) = try ErrorFeedback().quantize(
        weights, columnCount: columnCount, as: scheme,
        LayerStatistics(
          columnCount: columnCount, tokenCount: 600, hessian: hessian, change: change))
      #expect(report.correctionShare ?? 0 > 0.99)
      #expect(report.objectiveAfter < report.objectiveBefore)
      // A correction of 2 per cent keeps values near; one of columns in other places would not.
      let error = zip(tensor.dequantized(), weights).reduce(0) { $0 + abs($1.0 - $1.1) }
      let size = weights.reduce(0) { $0 + abs($1) }
      #expect(error < 0.35 * size)
    }
  }

  @Test func importanceSearchOrdersToo() throws {
    let statistics = try FeedbackSamples.wide.get()
    let (tensor, _) = try weights.withUnsafeBufferPointer {
      try ImportanceSearch().quantize(
        $0, rowCount: 6, columnCount: columnCount, as: scheme, importance: statistics.importance,
        pool: WorkerPool(threadCount: 2))
    }
    let error = zip(tensor.dequantized(), weights).reduce(0) { $0 + abs($1.0 - $1.1) }
    #expect(error < 0.3 * weights.reduce(0) { $0 + abs($1) })
    #expect(tensor.columnOrder != nil)
  }

  /// The arrays of a file decode to the same values, in whole and by rows.
  @Test func arraysHoldTheOrder() throws {
    let (tensor, _) = try ErrorFeedback().quantize(
      weights, columnCount: columnCount, as: scheme, try FeedbackSamples.wide.get())
    let arrays = try SchemeLayout().pack(tensor)
    #expect(arrays.last?.name == "column_order")
    #expect(
      try SchemeLayout().unpack(arrays, rowCount: 6, columnCount: columnCount, scheme: scheme)
        == tensor)
    let rows = try SchemeRows(
      scheme: scheme, rowCount: 6, columnCount: columnCount,
      parts: arrays.map { Storage(copying: $0.bytes).view })
    var decoded = [Float](repeating: 0, count: 2 * columnCount)
    try decoded.withUnsafeMutableBufferPointer {
      rows.decode(3..<5, into: try #require($0.baseAddress))
    }
    #expect(decoded == Array(tensor.dequantized()[3 * columnCount..<5 * columnCount]))
  }

  /// An order that names a column twice, or none, is refused by every reader.
  @Test(arguments: [[1: 0], [7: 256], [0: -1], [0: 1, 1: 0]] as [[Int: Int32]])
  func hostileOrders(_ changes: [Int: Int32]) throws {
    let (tensor, _) = try ErrorFeedback().quantize(
      weights, columnCount: columnCount, as: scheme, try FeedbackSamples.wide.get())
    var order = (0..<256).map { Int32($0) }
    for (place, column) in changes { order[place] = column }
    #expect(throws: QuantizationError.self) {
      try QuantizedTensor(
        rowCount: 6, columnCount: columnCount, scheme: scheme, codes: tensor.codes,
        scales: tensor.scales, zeroPoints: tensor.zeroPoints, columnOrder: order)
    }
    var arrays = try SchemeLayout().pack(tensor)
    let bytes = order.withUnsafeBytes { [UInt8]($0) }
    arrays[arrays.count - 1] = NamedBytes(name: "column_order", bytes: bytes)
    #expect(throws: QuantizationError.self) {
      try SchemeLayout().unpack(arrays, rowCount: 6, columnCount: columnCount, scheme: scheme)
    }
    #expect(throws: QuantizationError.self) {
      try SchemeRows(
        scheme: scheme, rowCount: 6, columnCount: columnCount,
        parts: arrays.map { Storage(copying: $0.bytes).view })
    }
  }

  /// Methods that know nothing of the inputs have no order to give.
  @Test func roundToNearestRefuses() {
    #expect(throws: QuantizationError.self) {
      try weights.withUnsafeBufferPointer {
        try RoundToNearest().quantize($0, rowCount: 6, columnCount: columnCount, as: scheme)
      }
    }
  }
}
