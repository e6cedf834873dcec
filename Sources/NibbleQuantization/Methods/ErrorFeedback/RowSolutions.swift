/// Codes, scales and offsets of whole rows, as numbers beside what is stored.
///
/// Rows may be written from several threads, each row from one.
final class RowSolutions {
  let shape: RowShape
  let rowCount: Int
  /// `[rowCount, columnCount]`
  let codes: UnsafeMutableBufferPointer<UInt8>
  /// `[rowCount, groupCount]`, or `[rowCount, learnedCount]` levels.
  let scales: UnsafeMutableBufferPointer<Float>
  /// `[rowCount, groupCount]`: minima or zero points; zero without.
  let offsets: UnsafeMutableBufferPointer<Float>
  /// `[rowCount, parentCount]`: what nested scales and minima are relative to, and the integers `[rowCount, groupCount]`.
  let scaleParents: UnsafeMutableBufferPointer<Float>
  let offsetParents: UnsafeMutableBufferPointer<Float>
  let scaleCodes: UnsafeMutableBufferPointer<Float>
  let offsetCodes: UnsafeMutableBufferPointer<Float>
  /// `[rowCount]`: the objective of each row, in the metric's unit.
  let objectives: UnsafeMutableBufferPointer<Double>
  /// The trees of a tensor whose scales are not of one row alone; these scales never change.
  var fixedScales: ScaleTree?

  init(_ shape: RowShape, rowCount: Int) {
    self.shape = shape
    self.rowCount = rowCount
    codes = Self.zeros(rowCount * shape.columnCount)
    scales = Self.zeros(rowCount * max(shape.groupCount, shape.learnedCount))
    offsets = Self.zeros(rowCount * shape.groupCount)
    scaleParents = Self.zeros(rowCount * shape.parentCount)
    offsetParents = Self.zeros(rowCount * shape.parentCount)
    scaleCodes = Self.zeros(shape.parentCount > 0 ? rowCount * shape.groupCount : 0)
    offsetCodes = Self.zeros(shape.parentCount > 0 ? rowCount * shape.groupCount : 0)
    objectives = Self.zeros(rowCount)
  }

  deinit {
    codes.deallocate()
    for buffer in [scales, offsets, scaleParents, offsetParents, scaleCodes, offsetCodes] {
      buffer.deallocate()
    }
    objectives.deallocate()
  }

  private static func zeros<T: Numeric>(_ count: Int) -> UnsafeMutableBufferPointer<T> {
    let buffer = UnsafeMutableBufferPointer<T>.allocate(capacity: max(count, 1))
    buffer.initialize(repeating: 0)
    return buffer
  }

  /// Takes over rows that begin at `row`.
  func store(_ tensor: QuantizedTensor, at row: Int) {
    Self.copy(tensor.codes, to: codes, at: row * shape.columnCount)
    let perRow = max(shape.groupCount, shape.learnedCount)
    Self.copy(tensor.scales.values(), to: scales, at: row * perRow)
    if let tree = tensor.offsets {
      Self.copy(tree.values(), to: offsets, at: row * shape.groupCount)
    }
    if let points = tensor.zeroPoints {
      Self.copy(points.map { Float($0) }, to: offsets, at: row * shape.groupCount)
    }
    split(tensor.scales, scaleParents, scaleCodes, row)
    if let tree = tensor.offsets { split(tree, offsetParents, offsetCodes, row) }
  }

  private func split(
    _ tree: ScaleTree, _ parents: UnsafeMutableBufferPointer<Float>,
    _ integers: UnsafeMutableBufferPointer<Float>, _ row: Int
  ) {
    guard case .integer(let codes, let bits, let isSigned, let parent) = tree else { return }
    let bias = isSigned ? Float(1 << (bits - 1)) : 0
    Self.copy(parent.values(), to: parents, at: row * shape.parentCount)
    Self.copy(codes.map { Float($0) - bias }, to: integers, at: row * shape.groupCount)
  }

  private static func copy<T>(
    _ source: [T], to target: UnsafeMutableBufferPointer<T>, at start: Int
  ) {
    for (index, value) in source.enumerated() { target[start + index] = value }
  }

  /// Copies a row to another matrix of the same shape.
  func copy(row: Int, to other: RowSolutions) {
    func copy<T>(
      _ source: UnsafeMutableBufferPointer<T>, _ target: UnsafeMutableBufferPointer<T>, _ count: Int
    ) {
      for index in row * count..<(row + 1) * count { target[index] = source[index] }
    }
    copy(codes, other.codes, shape.columnCount)
    copy(scales, other.scales, max(shape.groupCount, shape.learnedCount))
    copy(offsets, other.offsets, shape.groupCount)
    copy(scaleParents, other.scaleParents, shape.parentCount)
    copy(offsetParents, other.offsetParents, shape.parentCount)
    copy(scaleCodes, other.scaleCodes, shape.parentCount > 0 ? shape.groupCount : 0)
    copy(offsetCodes, other.offsetCodes, shape.parentCount > 0 ? shape.groupCount : 0)
    copy(objectives, other.objectives, 1)
  }

  /// The tensor that these rows are.
  func tensor() throws(QuantizationError) -> QuantizedTensor {
    let scheme = shape.scheme
    var minima: ScaleTree?
    var zeroPoints: [UInt8]?
    let count = rowCount * shape.groupCount
    switch scheme.offset {
    case .none: break
    case .zeroPoint: zeroPoints = offsets[..<count].map { UInt8($0) }
    case .minimum(let format):
      minima = tree(offsets[..<count], offsetParents, offsetCodes, as: format)
    }
    let scaleCount = rowCount * (shape.learnedCount > 0 ? shape.learnedCount : shape.groupCount)
    return try QuantizedTensor(
      rowCount: rowCount, columnCount: shape.columnCount, scheme: scheme,
      codes: Array(codes[..<(rowCount * shape.columnCount)]),
      scales: fixedScales
        ?? tree(scales[..<scaleCount], scaleParents, scaleCodes, as: scheme.scale),
      offsets: minima, zeroPoints: zeroPoints)
  }

  private func tree(
    _ values: Slice<UnsafeMutableBufferPointer<Float>>,
    _ parents: UnsafeMutableBufferPointer<Float>, _ integers: UnsafeMutableBufferPointer<Float>,
    as format: ScaleFormat
  ) -> ScaleTree {
    guard case .integer(let bits, let isSigned, let over) = format else {
      return ScaleTree(Array(values), as: format, tensorScale: 1)
    }
    let bias = isSigned ? Float(1 << (bits - 1)) : 0
    return .integer(
      codes: integers[..<values.count].map { UInt8($0 + bias) }, bits: bits, isSigned: isSigned,
      parent: ScaleTree(
        Array(parents[..<(rowCount * shape.parentCount)]), as: over, tensorScale: 1))
  }
}
