/// What the bits of a run of elements are spent on.
public struct StorageSum: Hashable, Sendable {
  /// A kind of number that is stored.
  public enum Part: String, CaseIterable, Sendable {
    case codes, levels, subScales, subOffsets, scales, offsets, zeroPoints
  }

  /// Numbers of one kind.
  public struct Share: Hashable, Sendable {
    public let part: Part
    /// How many there are.
    public let count: Int
    /// Bits of each.
    public let bitCount: Int

    public init(part: Part, count: Int, bitCount: Int) {
      self.part = part
      self.count = count
      self.bitCount = bitCount
    }
  }

  /// The elements that the numbers are for.
  public let elementCount: Int
  public let shares: [Share]

  public init(elementCount: Int, shares: [Share]) {
    self.elementCount = elementCount
    self.shares = shares
  }

  /// All bits.
  public var bitCount: Int { shares.reduce(0) { $0 + $1.count * $1.bitCount } }

  /// Bits of one element, everything included; 0 when there are none.
  public var bitsPerWeight: Double {
    elementCount == 0 ? 0 : Double(bitCount) / Double(elementCount)
  }
}

extension Scheme {
  /// The bits of the least run of elements that has whole scales: a super-block, a group, a row, a column, or the matrix.
  ///
  /// Scales relative to others, of sub-blocks or of groups, are `subScales`; those others are `scales`, and the mean that
  /// double quantization takes off is an offset.
  ///
  /// - Parameters:
  ///   - rowCount: output features of the matrix.
  ///   - columnCount: input features of the matrix.
  /// - Returns: the sum for this run; empty for a matrix without elements.
  /// - Throws: ``QuantizationError`` when the rows are no whole number of blocks.
  public func storage(rowCount: Int, columnCount: Int) throws(QuantizationError) -> StorageSum {
    var groupCount = try groupCount(rowCount: rowCount, columnCount: columnCount)
    guard groupCount > 0 else { return StorageSum(elementCount: 0, shares: []) }
    var elementCount = rowCount * columnCount
    if scale.isRowLocal {
      switch granularity {
      case .tensor: break
      case .row: (elementCount, groupCount) = (columnCount, 1)
      case .column: (elementCount, groupCount) = (rowCount, 1)
      case .group(let length) where columnCount % length == 0:
        (elementCount, groupCount) = (length, 1)
      case .group: (elementCount, groupCount) = (columnCount, groupCount / rowCount)
      case .block(let length, let sub): (elementCount, groupCount) = (length, length / sub)
      }
    }
    var shares = [
      StorageSum.Share(part: .codes, count: elementCount, bitCount: element.bitCount)
    ]
    let scalePart = scalesPerGroup == 1 ? StorageSum.Part.scales : .levels
    shares += scale.shares(scalePart, .subScales, count: groupCount * scalesPerGroup, granularity)
    switch offset {
    case .none: break
    case .minimum(let format):
      shares += format.shares(.offsets, .subOffsets, count: groupCount, granularity)
    case .zeroPoint(let bits):
      shares.append(StorageSum.Share(part: .zeroPoints, count: groupCount, bitCount: bits))
    }
    return StorageSum(elementCount: elementCount, shares: shares)
  }
}

extension ScaleFormat {
  /// The numbers that `count` scales are stored as: those that are relative to others first.
  fileprivate func shares(
    _ part: StorageSum.Part, _ subPart: StorageSum.Part, count: Int, _ granularity: Granularity
  ) -> [StorageSum.Share] {
    func share(_ part: StorageSum.Part, _ count: Int, _ bitCount: Int) -> StorageSum.Share {
      StorageSum.Share(part: part, count: count, bitCount: bitCount)
    }
    switch self {
    case .float32: return [share(part, count, 32)]
    case .float16, .bfloat16: return [share(part, count, 16)]
    case .e8m0: return [share(part, count, 8)]
    case .e4m3: return [share(subPart, count, 8), share(part, 1, 32)]
    case .doubleQuantized:
      let blockCount = (count + ScaleTree.doubleBlockCount - 1) / ScaleTree.doubleBlockCount
      return [share(subPart, count, 8), share(part, blockCount, 32), share(.offsets, 1, 32)]
    case .integer(let bits, _, let parent):
      guard case .block(let length, let sub) = granularity else {
        return [share(part, count, bits)]
      }
      return [share(subPart, count, bits)]
        + parent.shares(part, subPart, count: count * sub / length, granularity)
    }
  }
}
