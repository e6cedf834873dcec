/// Replaces values by those that a quantized tensor would give back: quantize, then dequantize.
///
/// It is the code that writes files, so that training and error reports see exactly what a file will hold (Jacob et al.
/// 2018, arXiv:1712.05877, section 3).
public struct FakeQuantization: Sendable {
  public let scheme: Scheme
  /// What finds codes and scales.
  public let method: RoundToNearest

  public init(_ scheme: Scheme, method: RoundToNearest = RoundToNearest()) {
    self.scheme = scheme
    self.method = method
  }

  /// Rounds rows in place.
  ///
  /// - Parameters:
  ///   - values: `[rowCount, columnCount]`, row-major, finite. One row at a time gives the same values as all together
  ///     where ``Scheme/isRowLocal``.
  ///   - rowCount: rows.
  ///   - columnCount: elements of a row.
  ///   - importance: a factor >= 0 for each column's square error, or nil.
  /// - Returns: the square error ‖values - rounded‖², in Double.
  /// - Throws: ``QuantizationError`` as ``RoundToNearest/quantize(_:rowCount:columnCount:importance:as:)``; the values are
  ///   then as they were.
  @discardableResult
  public func callAsFunction(
    _ values: UnsafeMutableBufferPointer<Float>, rowCount: Int, columnCount: Int,
    importance: UnsafeBufferPointer<Float>? = nil
  ) throws(QuantizationError) -> Double {
    let tensor = try method.quantize(
      UnsafeBufferPointer(values), rowCount: rowCount, columnCount: columnCount,
      importance: importance, as: scheme)
    var error = 0.0
    for (index, rounded) in tensor.dequantized().enumerated() {
      let difference = Double(values[index]) - Double(rounded)
      error += difference * difference
      values[index] = rounded
    }
    return error
  }
}
