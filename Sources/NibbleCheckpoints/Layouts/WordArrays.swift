/// Arrays of numbers as they stand in files, and turned on their side.
enum WordArrays {
  /// A matrix `[rowCount, columnCount]` turned on its side, `[columnCount, rowCount]`, in tiles that fit the cache.
  static func transposed<Element: BitwiseCopyable>(
    _ values: [Element], rowCount: Int, columnCount: Int
  ) -> [Element] {
    precondition(values.count == rowCount * columnCount)
    if rowCount == 1 || columnCount == 1 { return values }
    let side = 64
    return [Element](unsafeUninitializedCapacity: values.count) { target, initialized in
      values.withUnsafeBufferPointer { source in
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        for firstRow in stride(from: 0, to: rowCount, by: side) {
          let lastRow = min(firstRow + side, rowCount)
          for firstColumn in stride(from: 0, to: columnCount, by: side) {
            let lastColumn = min(firstColumn + side, columnCount)
            for column in firstColumn..<lastColumn {
              for row in firstRow..<lastRow {
                (to + (column * rowCount + row)).initialize(to: from[row * columnCount + column])
              }
            }
          }
        }
      }
      initialized = values.count
    }
  }

  /// The bytes of numbers; files are little-endian, as every supported machine is.
  static func bytes<Element: BitwiseCopyable>(_ values: [Element]) -> [UInt8] {
    values.withUnsafeBytes { [UInt8]($0) }
  }

  /// The numbers whose bytes are `bytes`; a rest that is no whole number is left out.
  static func numbers<Element: BitwiseCopyable & FixedWidthInteger>(
    _ bytes: [UInt8], as type: Element.Type
  ) -> [Element] {
    let count = bytes.count / MemoryLayout<Element>.stride
    return [Element](unsafeUninitializedCapacity: count) { values, initialized in
      bytes.withUnsafeBytes { source in
        UnsafeMutableRawBufferPointer(values).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: source[..<(count * MemoryLayout<Element>.stride)]))
      }
      initialized = count
    }
  }
}
