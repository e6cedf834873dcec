/// How signed 8-bit codes stand for real values: `value = scale · (code - zeroPoint)`.
///
/// Jacob et al. 2018 (arXiv:1712.05877), equation 1.
public struct IntegerScale: Hashable, Codable, Sendable {
  /// The value of one step; finite and > 0 for layers to accept it.
  public var scale: Float
  /// The code of zero.
  public var zeroPoint: Int8

  public init(scale: Float, zeroPoint: Int8 = 0) {
    self.scale = scale
    self.zeroPoint = zeroPoint
  }

  /// The scale whose codes -128...127 span a range, which is widened to hold zero.
  ///
  /// - Precondition: both ends are finite.
  public init(minimum: Float, maximum: Float) {
    precondition(minimum.isFinite && maximum.isFinite)
    let low = min(Double(minimum), 0)
    let high = max(Double(maximum), 0)
    // A range too small for a Float to divide has the smallest step.
    scale = high > low ? max(Float((high - low) / 255), .leastNormalMagnitude) : 1
    zeroPoint = Int8(min(max((-128 - low / Double(scale)).rounded(), -128), 127))
  }

  /// The code of each value: rounded to nearest, ties to even, and cut at -128 and 127. NaN gets the zero-point.
  public func codes(of values: UnsafeBufferPointer<Float>) -> [Int8] {
    values.map { value in
      let position = Double(value) / Double(scale) + Double(zeroPoint)
      guard !position.isNaN else { return zeroPoint }
      return Int8(min(max(position.rounded(.toNearestOrEven), -128), 127))
    }
  }

  /// The value of each code.
  public func values(of codes: UnsafeBufferPointer<Int8>) -> [Float] {
    codes.map { Float(Int32($0) - Int32(zeroPoint)) * scale }
  }
}
