public import NibbleTensors

/// One of the arrays that a quantized matrix is stored as.
public struct SchemePart: Hashable, Sendable {
  /// "codes", "scales", "zero_points", "minima", a part of nested scales such as "scales.parent", or
  /// "column_order".
  public let name: String
  /// What its elements are.
  public let type: DType
  /// Dimensions, slowest first; the first is the row where ``isPerRow``.
  public let shape: [Int]
  /// Whether each row of the matrix has its own run of the array.
  public let isPerRow: Bool

  public init(name: String, type: DType, shape: [Int], isPerRow: Bool) {
    self.name = name
    self.type = type
    self.shape = shape
    self.isPerRow = isPerRow
  }

  /// All bytes.
  public var byteCount: Int { shape.reduce(type.bitCount / 8, *) }
  /// Bytes that belong to one row; 0 for arrays that all rows share.
  public var rowByteCount: Int { isPerRow ? shape.dropFirst().reduce(type.bitCount / 8, *) : 0 }
}

extension Scheme {
  /// The arrays that store a matrix: codes, `bits` bits each, the first in the lowest bits, every row from a byte of its
  /// own; then scales, and zero points or minima.
  ///
  /// - Throws: ``QuantizationError`` when the rows are no whole number of blocks, or there are more than 2^48 elements.
  public func parts(rowCount: Int, columnCount: Int) throws(QuantizationError) -> [SchemePart] {
    // Rows or columns alone count too: the other may be zero.
    let largest = 1 << 48
    let (elementCount, overflow) = rowCount.multipliedReportingOverflow(by: columnCount)
    guard !overflow, elementCount <= largest, rowCount <= largest, columnCount <= largest
    else {
      throw QuantizationError(.shape, "\(rowCount) x \(columnCount) elements are too many")
    }
    _ = try groupCount(rowCount: rowCount, columnCount: columnCount)
    let place = PartPlace(granularity, rowCount: rowCount, columnCount: columnCount)
    let codeByteCount = (columnCount * element.bitCount + 7) / 8
    var parts = [
      SchemePart(name: "codes", type: .uint8, shape: [rowCount, codeByteCount], isPerRow: true)
    ]
    parts += place.parts("scales", scale, perGroup: scalesPerGroup)
    switch offset {
    case .none: break
    case .zeroPoint: parts.append(place.part("zero_points", .uint8))
    case .minimum(let format): parts += place.parts("minima", format, perGroup: 1)
    }
    if hasColumnOrder {
      parts.append(
        SchemePart(name: "column_order", type: .int32, shape: [columnCount], isPerRow: false))
    }
    return parts
  }
}

/// How many scales stand where.
private struct PartPlace {
  let granularity: Granularity
  let rowCount: Int
  let groupCount: Int
  let groupsPerRow: Int?

  init(_ granularity: Granularity, rowCount: Int, columnCount: Int) {
    self.granularity = granularity
    self.rowCount = rowCount
    groupCount = granularity.groupCount(rowCount: rowCount, columnCount: columnCount)
    groupsPerRow = granularity.groupsPerRow(columnCount: columnCount)
  }

  func part(_ name: String, _ type: DType, perGroup: Int = 1, groupsPerPart: Int = 1) -> SchemePart
  {
    guard let groupsPerRow else {
      return SchemePart(
        name: name, type: type, shape: [groupCount * perGroup], isPerRow: false)
    }
    return SchemePart(
      name: name, type: type, shape: [rowCount, groupsPerRow * perGroup / groupsPerPart],
      isPerRow: true)
  }

  func parts(
    _ name: String, _ format: ScaleFormat, perGroup: Int, groupsPerPart: Int = 1
  ) -> [SchemePart] {
    func numbers(_ type: DType) -> SchemePart {
      part(name, type, perGroup: perGroup, groupsPerPart: groupsPerPart)
    }
    func shared(_ suffix: String, _ count: Int) -> SchemePart {
      SchemePart(name: "\(name).\(suffix)", type: .float32, shape: [count], isPerRow: false)
    }
    switch format {
    case .float32: return [numbers(.float32)]
    case .float16: return [numbers(.float16)]
    case .bfloat16: return [numbers(.bfloat16)]
    case .e8m0: return [numbers(.float8E8M0)]
    case .e4m3: return [numbers(.float8E4M3), shared("tensor", 1)]
    case .doubleQuantized:
      let blockCount =
        (groupCount * perGroup + ScaleTree.doubleBlockCount - 1) / ScaleTree.doubleBlockCount
      return [numbers(.uint8), shared("largest", blockCount), shared("mean", 1)]
    case .integer(_, _, let parent):
      var childCount = 1
      if case .block(let length, let sub) = granularity { childCount = length / sub }
      return [numbers(.uint8)]
        + parts("\(name).parent", parent, perGroup: perGroup, groupsPerPart: childCount)
    }
  }
}
