extension Scheme {
  /// Numbers that a group stores as its scale: one, or its learned levels.
  public var scalesPerGroup: Int {
    if case .learned(let bits) = element { 1 << bits } else { 1 }
  }

  /// Whether a row can be quantized and stored without knowing the others.
  public var isRowLocal: Bool { granularity.isRowLocal && scale.isRowLocal }

  /// Bits that the codes, scales and offsets of a matrix take; codes fill whole bytes a row only in files.
  public func bitCount(rowCount: Int, columnCount: Int) -> Int {
    let groupCount = granularity.groupCount(rowCount: rowCount, columnCount: columnCount)
    var bits = rowCount * columnCount * element.bitCount
    bits += storedBits(scale, count: groupCount * scalesPerGroup)
    switch offset {
    case .none: break
    case .zeroPoint(let width): bits += groupCount * width
    case .minimum(let format): bits += storedBits(format, count: groupCount)
    }
    if hasColumnOrder { bits += 32 * columnCount }
    return bits
  }

  /// Bits that one weight takes in a matrix of this shape, overhead included.
  public func bitsPerWeight(rowCount: Int, columnCount: Int) -> Double {
    guard rowCount > 0, columnCount > 0 else { return Double(element.bitCount) }
    let bits = bitCount(rowCount: rowCount, columnCount: columnCount)
    return Double(bits) / Double(rowCount * columnCount)
  }

  /// Bits that one weight takes in a large matrix whose rows are whole groups.
  public var bitsPerWeight: Double {
    bitsPerWeight(rowCount: 1 << 14, columnCount: 1 << 14)
  }

  private func storedBits(_ format: ScaleFormat, count: Int) -> Int {
    switch format {
    case .float32: return 32 * count
    case .float16, .bfloat16: return 16 * count
    case .e8m0: return 8 * count
    case .e4m3: return 8 * count + 32
    case .doubleQuantized:
      return 8 * count + 32
        * ((count + ScaleTree.doubleBlockCount - 1) / ScaleTree.doubleBlockCount) + 32
    case .integer(let bits, _, let parent):
      guard case .block(let length, let sub) = granularity else { return bits * count }
      return bits * count + storedBits(parent, count: count * sub / length)
    }
  }
}
