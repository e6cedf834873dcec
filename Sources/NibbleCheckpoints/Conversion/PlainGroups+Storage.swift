internal import NibbleQuantization

extension PlainGroups {
  /// The tensor of a scheme whose element, granularity and kind of offset these are; scales and minima are rounded to its
  /// formats.
  ///
  /// - Parameters:
  ///   - target: the scheme.
  ///   - tensor: where the columns' order comes from, and scales that stay as they are stored.
  /// - Returns: the tensor.
  /// - Throws: ``ConversionObstacle`` for formats of scales that are searched, and an order that the scheme lacks.
  func stored(
    as target: Scheme, of tensor: QuantizedTensor
  ) throws(ConversionObstacle) -> QuantizedTensor {
    var order = tensor.columnOrder
    if target.hasColumnOrder, order == nil {
      order = (0..<Int32(clamping: tensor.columnCount)).map { $0 }
    } else if !target.hasColumnOrder, let known = order {
      guard known.indices.allSatisfy({ known[$0] == $0 }) else {
        throw ConversionObstacle(
          "the columns stand in an order of their own, which \(target) lacks")
      }
      order = nil
    }
    let keepsGroups = target.granularity == tensor.scheme.granularity
    var minima: ScaleTree?
    var zeroPoints: [UInt8]?
    switch (target.offset, offset) {
    case (.none, _): break
    case (.zeroPoint, .zeros(let zeros?)):
      zeroPoints = zeros.map { UInt8(clamping: $0) }
    case (.minimum(let format), .minima(let values)):
      minima = try ScaleTree(plain: values, as: format, "minima", target)
    default: throw ConversionObstacle("the levels of \(target) are others")
    }
    let scaleTree =
      keepsGroups && target.scale == tensor.scheme.scale
      ? tensor.scales : try ScaleTree(plain: scales, as: target.scale, "scales", target)
    do {
      return try QuantizedTensor(
        rowCount: tensor.rowCount, columnCount: tensor.columnCount, scheme: target, codes: codes,
        scales: scaleTree, offsets: minima, zeroPoints: zeroPoints, columnOrder: order)
    } catch {
      throw ConversionObstacle(error.message)
    }
  }
}

extension ScaleTree {
  /// Rounds numbers to the nearest of a format, ties to even.
  ///
  /// - Throws: ``ConversionObstacle`` for formats whose numbers are searched, and powers of two that are none.
  fileprivate init(
    plain values: [Float], as format: ScaleFormat, _ name: String, _ target: Scheme
  ) throws(ConversionObstacle) {
    guard values.allSatisfy(\.isFinite) else {
      throw ConversionObstacle("one of the \(name) is too large")
    }
    switch format {
    case .float32, .float16, .bfloat16: break
    case .e8m0:
      if let value = values.first(where: { !($0 > 0 && $0.significand == 1) }) {
        throw ConversionObstacle("the scale \(value) is no power of two, as \(target) needs")
      }
    case .e4m3, .doubleQuantized, .integer:
      throw ConversionObstacle("the nested \(name) of \(target) are searched, not converted")
    }
    self = ScaleTree(values, as: format, tensorScale: 1)
  }
}
