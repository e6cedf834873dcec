internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleTensors
internal import Synchronization

/// Reads one tensor from front to back, a few rows at a time, and gathers its figures.
///
/// The rows are cut into spans by the shape alone; spans are summed each in order and then merged in order, so that the
/// figures are the same bits for any number of threads.
struct TensorScan {
  let rows: StoredRows
  let isVector: Bool

  /// What a scan finds.
  struct Finding {
    var statistics: TensorStatistics
    var histogram: ValueHistogram
  }

  private static let spanLimit = 64
  /// Columns above which their norms are not kept.
  private static let columnLimit = 1 << 20

  init(_ record: TensorRecord) {
    rows = StoredRows(record)
    isVector = record.shape.count < 2
  }

  /// - Returns: nil for a tensor without elements, or of a type that cannot be decoded.
  /// - Throws: `CheckpointError`, ``JobCancelled``.
  func run(_ loop: ChunkLoop, onBytes: @Sendable (Int) -> Void) throws -> Finding? {
    guard rows.canDecode, rows.rowCount > 0, rows.columnCount > 0 else { return nil }
    let spans = RowSpan.cut(
      rowCount: rows.rowCount, columnCount: rows.columnCount, limit: Self.spanLimit)
    let parts = Mutex([Part?](repeating: nil, count: spans.count))
    // Counts are whole numbers: it does not matter which span went into which histogram.
    let histograms = Mutex<[ValueHistogram]>([])
    try loop.run(spans.count) { index, scratch in
      var histogram = histograms.withLock { $0.popLast() } ?? ValueHistogram()
      var part = Part(columnCount: keptColumnCount)
      for chunk in spans[index].chunks {
        let values = try rows.values(chunk, scratch)
        part.add(values, chunk, columnCount: rows.columnCount, &histogram, scratch)
        rows.release(chunk)
        onBytes(chunk.count * rows.rowByteCount)
      }
      parts.withLock { $0[index] = part }
      histograms.withLock { $0.append(histogram) }
    }
    rows.release()
    return merge(parts.withLock { $0 }, histograms.withLock { $0 })
  }

  private var keptColumnCount: Int { rows.columnCount <= Self.columnLimit ? rows.columnCount : 0 }

  private func merge(_ parts: [Part?], _ histograms: [ValueHistogram]) -> Finding {
    var whole = Part(columnCount: keptColumnCount)
    for part in parts { if let part { whole.append(part) } }
    var histogram = ValueHistogram()
    for part in histograms { histogram.add(part) }
    let moments = whole.moments
    let hasValues = moments.count > 0
    let (least, most) = hasValues ? (Double(whole.minimum), Double(whole.maximum)) : (0, 0)
    let statistics = TensorStatistics(
      moments: moments, minimum: least, maximum: most, zeroCount: whole.zeroCount,
      notANumberCount: whole.notANumberCount, infinityCount: whole.infinityCount,
      firstNonFinite: whole.firstNonFinite,
      percentiles: histogram.percentiles(TensorStatistics.percentileShares),
      farShare: histogram.share(
        fartherThan: OutlierRule.deviations * moments.standardDeviation, from: moments.mean),
      histogram: histogram.intervals(TensorStatistics.intervalCount, from: least, to: most),
      centralHistogram: histogram.centralIntervals(moments),
      rowNorms: isVector ? nil : NormRange(whole.rowNorms),
      columnNorms: isVector ? nil : NormRange(whole.columns.norms),
      outlierColumns: OutlierRule.find(whole.columns))
    return Finding(statistics: statistics, histogram: histogram)
  }
}

/// The figures of some rows that stand together.
private struct Part {
  var moments = CentralMoments()
  var minimum = Float.infinity
  var maximum = -Float.infinity
  var zeroCount = 0
  var notANumberCount = 0
  var infinityCount = 0
  var firstNonFinite: (row: Int, column: Int)?
  var columns: ColumnSizes
  var rowNorms: [Double] = []

  init(columnCount: Int) { columns = ColumnSizes(count: columnCount) }

  /// Adds the rows `chunk`; values that are not finite become 0 in `values`.
  mutating func add(
    _ values: UnsafeMutableBufferPointer<Float>, _ chunk: Range<Int>, columnCount: Int,
    _ histogram: inout ValueHistogram, _ scratch: Scratch
  ) {
    let finite = removingNonFinite(values, chunk, columnCount, scratch)
    moments.add(CentralMoments(finite))
    histogram.add(finite)
    var (least, most, zeros) = (minimum, maximum, 0)
    for value in finite {
      least = value < least ? value : least
      most = value > most ? value : most
      zeros &+= value == 0 ? 1 : 0
    }
    (minimum, maximum) = (least, most)
    zeroCount += zeros
    if !columns.energies.isEmpty { columns.addRows(UnsafeBufferPointer(values)) }
    for row in 0..<chunk.count {
      var energy = 0.0
      for value in values[row * columnCount..<(row + 1) * columnCount] {
        energy += Double(value) * Double(value)
      }
      rowNorms.append(energy.squareRoot())
    }
  }

  /// The finite values in order.
  private mutating func removingNonFinite(
    _ values: UnsafeMutableBufferPointer<Float>, _ chunk: Range<Int>, _ columnCount: Int,
    _ scratch: Scratch
  ) -> UnsafeBufferPointer<Float> {
    guard let base = values.baseAddress,
      let first = VectorKernels.firstNonFinite(base, count: values.count)
    else { return UnsafeBufferPointer(values) }
    if firstNonFinite == nil {
      firstNonFinite = (chunk.lowerBound + first / columnCount, first % columnCount)
    }
    let kept = scratch.otherValues(values.count)
    var count = 0
    for index in values.indices {
      let value = values[index]
      if value.isFinite {
        kept[count] = value
        count += 1
      } else {
        if value.isNaN { notANumberCount += 1 } else { infinityCount += 1 }
        values[index] = 0
      }
    }
    return UnsafeBufferPointer(rebasing: kept[..<count])
  }

  /// Adds the part that follows.
  mutating func append(_ next: Part) {
    moments.add(next.moments)
    minimum = min(minimum, next.minimum)
    maximum = max(maximum, next.maximum)
    zeroCount += next.zeroCount
    notANumberCount += next.notANumberCount
    infinityCount += next.infinityCount
    firstNonFinite = firstNonFinite ?? next.firstNonFinite
    columns.add(next.columns)
    rowNorms += next.rowNorms
  }
}
