/// Rows that one thread reads in one go, in chunks that fit a core's own cache.
struct RowSpan: Sendable {
  var rows: Range<Int>
  /// Rows of one chunk.
  var chunkRowCount: Int

  /// Elements that a chunk aims for: a quarter of a megabyte of floats.
  private static let chunkElementCount = 1 << 16

  /// At most `limit` spans that depend on the shape alone.
  static func cut(rowCount: Int, columnCount: Int, limit: Int) -> [RowSpan] {
    let chunkRowCount = max(1, chunkElementCount / max(columnCount, 1))
    let chunkCount = (rowCount + chunkRowCount - 1) / chunkRowCount
    let spanChunkCount = max(1, (chunkCount + limit - 1) / limit)
    let step = spanChunkCount * chunkRowCount
    return stride(from: 0, to: rowCount, by: step).map { first in
      RowSpan(rows: first..<min(first + step, rowCount), chunkRowCount: chunkRowCount)
    }
  }

  /// The span's rows, a few at a time.
  var chunks: [Range<Int>] {
    stride(from: rows.lowerBound, to: rows.upperBound, by: chunkRowCount).map { first in
      first..<min(first + chunkRowCount, rows.upperBound)
    }
  }
}
