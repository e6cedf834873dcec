public import NibbleQuantization
internal import NibbleTensors

/// The arrays of LLM.int8() (Dettmers et al. 2022, arXiv:2208.07339) as bitsandbytes stores them: signed codes, and the largest
/// magnitude of each row, which is 127 times its scale.
///
/// A file's number is taken for a scale by dividing it by 127 in single precision. A few scales (one in 128) are no such
/// quotient and cannot be stored; all those that round-to-nearest takes from a row's largest magnitude can.
public struct BitsAndBytesEightBitLayout: ArrayLayout {
  public init() {}

  /// The one scheme that is stored: "int8-row-sym-f32".
  public static let scheme = Scheme(
    element: .int(bits: 8), granularity: .row, scale: .float32)

  public func canRepresent(_ scheme: Scheme) -> Bool { scheme == Self.scheme }

  public func obstacle(to scheme: Scheme, rowCount: Int, columnCount: Int) -> String? {
    if scheme != Self.scheme {
      return "LLM.int8() holds \(Self.scheme) only, not \(scheme)"
    }
    if rowCount <= 0 || columnCount <= 0 {
      return "\(rowCount) rows of \(columnCount) have no elements"
    }
    if rowCount.multipliedReportingOverflow(by: columnCount).overflow {
      return "\(rowCount) x \(columnCount) elements are too many"
    }
    return nil
  }

  public func parts(
    _ scheme: Scheme, rowCount: Int, columnCount: Int
  ) throws(QuantizationError) -> [SchemePart] {
    try requireStorable(scheme, rowCount: rowCount, columnCount: columnCount)
    return [
      SchemePart(name: "weight", type: .int8, shape: [rowCount, columnCount], isPerRow: true),
      SchemePart(name: "SCB", type: .float32, shape: [rowCount], isPerRow: true),
      SchemePart(name: "weight_format", type: .uint8, shape: [], isPerRow: false),
    ]
  }

  public func pack(_ tensor: QuantizedTensor) throws(QuantizationError) -> [NamedBytes] {
    _ = try parts(
      tensor.scheme, rowCount: tensor.rowCount, columnCount: tensor.columnCount)
    guard case .float32(let scales) = tensor.scales else {
      throw QuantizationError(.shape, "scales do not fit the scheme \(tensor.scheme)")
    }
    var largest: [Float] = []
    largest.reserveCapacity(scales.count)
    for (row, scale) in scales.enumerated() {
      guard let magnitude = Self.largestMagnitude(scale: scale) else {
        throw QuantizationError(
          .unsupported,
          "the scale \(scale) of row \(row) is no float divided by 127, as LLM.int8() stores scales"
        )
      }
      largest.append(magnitude)
    }
    return [
      NamedBytes(name: "weight", bytes: Self.withSignsFlipped(tensor.codes)),
      NamedBytes(name: "SCB", bytes: largest.withUnsafeBytes { [UInt8]($0) }),
      NamedBytes(name: "weight_format", bytes: [0]),
    ]
  }

  public func unpack(
    _ parts: [NamedBytes], rowCount: Int, columnCount: Int, scheme: Scheme
  ) throws(QuantizationError) -> QuantizedTensor {
    let expected = try self.parts(scheme, rowCount: rowCount, columnCount: columnCount)
    guard parts.count == expected.count,
      zip(parts, expected).allSatisfy({ $0.bytes.count == $1.byteCount })
    else {
      throw QuantizationError(
        .malformed, "the arrays do not fit \(rowCount) rows of \(columnCount) as LLM.int8()")
    }
    guard parts[2].bytes == [0] else {
      throw QuantizationError(
        .unsupported,
        "weight_format is \(parts[2].bytes.first ?? 0); only 0, rows as they stand, can be read")
    }
    let largest = [Float](littleEndianBytes: parts[1].bytes)
    return try QuantizedTensor(
      rowCount: rowCount, columnCount: columnCount, scheme: scheme,
      codes: Self.withSignsFlipped(parts[0].bytes), scales: .float32(largest.map { $0 / 127 }))
  }

  /// The number whose 127th part, rounded to a float, is `scale`: of several the one nearest to the exact product.
  static func largestMagnitude(scale: Float) -> Float? {
    let product = Double(scale) * 127
    let middle = Float(product)
    var best: Float?
    for candidate in [middle, middle.nextDown, middle.nextUp]
    where (candidate / 127).bitPattern == scale.bitPattern {
      guard let found = best else {
        best = candidate
        continue
      }
      if abs(Double(candidate) - product) < abs(Double(found) - product) { best = candidate }
    }
    return best
  }

  /// Signed bytes as codes, which have half their range added, and back.
  private static func withSignsFlipped(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: bytes.count) { target, count in
      bytes.withUnsafeBufferPointer { bytes in
        for index in 0..<bytes.count { target[index] = bytes[index] ^ 0x80 }
      }
      count = bytes.count
    }
  }
}
