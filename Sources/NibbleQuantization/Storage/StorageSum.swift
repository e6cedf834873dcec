/// What the bits of a run of elements are spent on.
public struct StorageSum: Hashable, Sendable {
  /// A kind of number that is stored.
  public enum Part: String, CaseIterable, Sendable {
    case codes, subScales, subOffsets, scales, offsets
    case zeroPoints
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
  /// The bits of the least run of elements that has whole scales: a super-block, a group, a row, or the tensor.
  ///
  /// - Parameters:
  ///   - rowCount: output features of the matrix; it counts only where the whole tensor shares a scale.
  ///   - columnCount: input features of the matrix; it counts where a row or the tensor shares a scale.
  /// - Returns: the sum for this run; empty for a matrix without elements.
  /// - Throws: ``QuantizationError`` when the rows are no whole number of groups.
  public func storage(rowCount: Int, columnCount: Int) throws(QuantizationError) -> StorageSum {
    let scaleCount = try scaleCount(rowCount: rowCount, columnCount: columnCount)
    let elementCount: Int
    var subCount = 1
    switch granularity {
    case .tensor: elementCount = rowCount * columnCount
    case .row: elementCount = columnCount
    case .group(let length): elementCount = length
    case .block(let length, let sub):
      elementCount = length
      subCount = length / sub
    }
    guard scaleCount > 0 else { return StorageSum(elementCount: 0, shares: []) }
    var shares = [
      StorageSum.Share(part: .codes, count: elementCount, bitCount: element.bitCount)
    ]
    shares += scale.shares(.scales, .subScales, subCount: subCount)
    switch offset {
    case .none: break
    case .minimum(let format): shares += format.shares(.offsets, .subOffsets, subCount: subCount)
    case .zeroPoint(let bits):
      shares.append(StorageSum.Share(part: .zeroPoints, count: subCount, bitCount: bits))
    }
    return StorageSum(elementCount: elementCount, shares: shares)
  }
}

extension ScaleFormat {
  /// The numbers of one run: its children first where they are relative to a parent.
  fileprivate func shares(
    _ part: StorageSum.Part, _ subPart: StorageSum.Part, subCount: Int
  ) -> [StorageSum.Share] {
    switch self {
    case .float32: [StorageSum.Share(part: part, count: 1, bitCount: 32)]
    case .float16, .bfloat16:
      [StorageSum.Share(part: part, count: 1, bitCount: 16)]
    case .integer(let bits, _, let parent):
      [StorageSum.Share(part: subPart, count: subCount, bitCount: bits)]
        + parent.shares(part, subPart, subCount: subCount)
    }
  }
}
