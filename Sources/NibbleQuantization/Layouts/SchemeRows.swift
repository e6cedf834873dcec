internal import CNibbleKernels
public import NibbleTensors

/// A quantized matrix that stays in the arrays of its file: rows are decoded on demand.
public struct SchemeRows: Sendable {
  public let scheme: Scheme
  public let rowCount: Int
  public let columnCount: Int
  private let codes: ByteView
  private let scales: ScaleRows
  private let zeroPoints: ByteView?
  private let minima: ScaleRows?
  /// The column of the weights at each place of a row's codes; nil where columns are in their own order.
  let columnOrder: [Int32]?
  private let expander: GroupExpander
  private let codeByteCount: Int
  private let groupsPerRow: Int?

  /// - Parameters:
  ///   - scheme: what the arrays store.
  ///   - rowCount: output features.
  ///   - columnCount: input features.
  ///   - parts: the arrays of ``Scheme/parts(rowCount:columnCount:)``, in their order.
  /// - Throws: ``QuantizationError`` when an array has another length than the shape needs.
  public init(
    scheme: Scheme, rowCount: Int, columnCount: Int, parts: [ByteView]
  ) throws(QuantizationError) {
    let expected = try scheme.parts(rowCount: rowCount, columnCount: columnCount)
    guard parts.count == expected.count,
      zip(parts, expected).allSatisfy({ $0.count == $1.byteCount }), let codes = parts.first
    else {
      throw QuantizationError(
        .malformed, "the arrays do not fit \(rowCount) rows of \(columnCount) as \(scheme)")
    }
    self.scheme = scheme
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.codes = codes
    expander = GroupExpander(scheme.element)
    codeByteCount = (columnCount * scheme.element.bitCount + 7) / 8
    groupsPerRow = scheme.granularity.groupsPerRow(columnCount: columnCount)
    var childCount = 1
    if case .block(let length, let sub) = scheme.granularity { childCount = length / sub }
    var rest = parts.dropFirst()
    scales = ScaleRows(scheme.scale, &rest, childCount: childCount)
    switch scheme.offset {
    case .none: (zeroPoints, minima) = (nil, nil)
    case .zeroPoint: (zeroPoints, minima) = (rest.popFirst(), nil)
    case .minimum(let format):
      (zeroPoints, minima) = (nil, ScaleRows(format, &rest, childCount: childCount))
    }
    guard scheme.hasColumnOrder else {
      columnOrder = nil
      return
    }
    let order = rest.popFirst().map { view in
      view.withUnsafeBytes { bytes in
        (0..<columnCount).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self) }
      }
    }
    guard let order, scheme.isColumnOrder(order) else {
      throw QuantizationError(
        .malformed,
        "the order of columns does not name each of \(columnCount) columns once, ascending within groups"
      )
    }
    columnOrder = order
  }

  /// Decodes rows, exactly as ``QuantizedTensor/dequantized()`` does.
  ///
  /// - Parameters:
  ///   - rows: any of the rows.
  ///   - values: receives `[rows.count, columnCount]`.
  public func decode(_ rows: Range<Int>, into values: UnsafeMutablePointer<Float>) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= rowCount)
    // Files may announce any number of rows without columns.
    guard columnCount > 0 else { return }
    let perGroup = scheme.scalesPerGroup
    let groupCount = groupsPerRow ?? (scheme.granularity == .column ? columnCount : 1)
    let length = groupLength
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: columnCount) { codes in
      let orderedCount = columnOrder == nil ? 0 : columnCount
      withUnsafeTemporaryAllocation(
        of: Float.self, capacity: groupCount * (perGroup + 1) + orderedCount
      ) { numbers in
        guard let codes = codes.baseAddress, let scales = numbers.baseAddress else { return }
        let minima = scales + groupCount * perGroup
        let ordered = minima + groupCount
        for row in rows {
          unpack(row, into: codes)
          let first = groupsPerRow.map { $0 * row } ?? 0
          self.scales.read(first * perGroup, count: groupCount * perGroup, into: scales)
          self.minima?.read(first, count: groupCount, into: minima)
          let place = values + (row - rows.lowerBound) * columnCount
          let target = columnOrder == nil ? place : ordered
          for group in 0..<groupCount {
            let start = group * length
            expander.expand(
              codes + start, count: min(length, columnCount - start),
              scales: scales + group * perGroup,
              minimum: self.minima == nil ? nil : minima[group],
              zeroPoint: zeroPoint(first + group),
              into: target + start)
          }
          for (index, column) in (columnOrder ?? []).enumerated() {
            place[Int(column)] = ordered[index]
          }
        }
      }
    }
  }

  /// Reads a row's codes and the numbers of its groups.
  ///
  /// - Parameters:
  ///   - row: any of the rows.
  ///   - codes: receives the row's codes, a byte each, in the order of their groups.
  ///   - scales: receives a scale for each group.
  ///   - minima: receives a minimum for each group, where the scheme has minima.
  ///   - zeroPoints: receives a zero point for each group, where the scheme has them.
  /// - Precondition: rows do not share groups by columns, and the levels are not learned.
  func read(
    _ row: Int, codes: UnsafeMutablePointer<UInt8>, scales: UnsafeMutablePointer<Float>,
    minima: UnsafeMutablePointer<Float>, zeroPoints: UnsafeMutablePointer<Int32>
  ) {
    precondition(row >= 0 && row < rowCount && scheme.granularity != .column)
    unpack(row, into: codes)
    let groupCount = groupsPerRow ?? 1
    let first = groupsPerRow.map { $0 * row } ?? 0
    self.scales.read(first, count: groupCount, into: scales)
    self.minima?.read(first, count: groupCount, into: minima)
    guard self.zeroPoints != nil else { return }
    for group in 0..<groupCount { zeroPoints[group] = Int32(zeroPoint(first + group)) }
  }

  /// Columns of one group.
  private var groupLength: Int {
    switch scheme.granularity {
    case .tensor, .row: columnCount
    case .column: 1
    case .group(let length), .block(_, let length): length
    }
  }

  private func unpack(_ row: Int, into target: UnsafeMutablePointer<UInt8>) {
    codes.withUnsafeBytes { bytes in
      guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
      nk_unpack_bits(
        base + row * codeByteCount, columnCount, Int32(scheme.element.bitCount), target)
    }
  }

  private func zeroPoint(_ group: Int) -> UInt8 {
    zeroPoints?.withUnsafeBytes { $0[group] } ?? 0
  }
}

/// Stored scales that are read as floats on demand.
private struct ScaleRows: Sendable {
  private indirect enum Kind: Sendable {
    case floats(GGMLType)
    case e8m0
    case e4m3(tensorScale: Float)
    case doubleQuantized(largest: [Float], mean: Float)
    case integer(bias: Int, parent: ScaleRows, childCount: Int)
  }

  private let bytes: ByteView
  private let kind: Kind

  init(_ format: ScaleFormat, _ parts: inout ArraySlice<ByteView>, childCount: Int) {
    bytes = parts.removeFirst()
    func floats() -> [Float] {
      let view = parts.removeFirst()
      return (0..<view.count / 4).map { index in
        view.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4 * index, as: Float.self) }
      }
    }
    switch format {
    case .float32: kind = .floats(.f32)
    case .float16: kind = .floats(.f16)
    case .bfloat16: kind = .floats(.bf16)
    case .e8m0: kind = .e8m0
    case .e4m3: kind = .e4m3(tensorScale: floats().first ?? 0)
    case .doubleQuantized:
      let largest = floats()
      kind = .doubleQuantized(largest: largest, mean: floats().first ?? 0)
    case .integer(let bits, let isSigned, let parent):
      kind = .integer(
        bias: isSigned ? 1 << (bits - 1) : 0, parent: ScaleRows(parent, &parts, childCount: 1),
        childCount: childCount)
    }
  }

  func read(_ first: Int, count: Int, into values: UnsafeMutablePointer<Float>) {
    bytes.withUnsafeBytes { bytes in
      switch kind {
      case .floats(let type):
        let width = type.block.byteCount
        BlockCodec.decode(
          type, UnsafeRawBufferPointer(rebasing: bytes[first * width..<(first + count) * width]),
          into: UnsafeMutableBufferPointer(start: values, count: count))
      case .e8m0:
        for index in 0..<count { values[index] = EightBitScale.e8m0(bytes[first + index]) }
      case .e4m3(let tensorScale):
        for index in 0..<count {
          values[index] = EightBitScale.e4m3Levels[Int(bytes[first + index])] * tensorScale
        }
      case .doubleQuantized(let largest, let mean):
        for index in 0..<count {
          let place = first + index
          values[index] =
            DynamicMap.levels[Int(bytes[place])] * largest[place / ScaleTree.doubleBlockCount]
            + mean
        }
      case .integer(let bias, let parent, let childCount):
        for index in 0..<count {
          let place = first + index
          parent.read(place / childCount, count: 1, into: values + index)
          values[index] *= Float(Int(bytes[place]) - bias)
        }
      }
    }
  }
}
