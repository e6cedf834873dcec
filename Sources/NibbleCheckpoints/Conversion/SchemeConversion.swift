public import NibbleQuantization

/// What becomes of a quantized tensor when another scheme stores it, its codes' levels kept.
public enum SchemeConversion: Sendable {
  /// The same values: `dequantized()` gives equal numbers (the sign of a zero does not count).
  case exact(QuantizedTensor)
  /// Scales, minima or zero points had to be rounded.
  case near(QuantizedTensor, ConversionLoss)
  /// Why the scheme cannot hold the tensor's levels.
  case impossible(String)
}

/// How far values are from those that they stand for.
public struct ConversionLoss: Hashable, Sendable {
  /// The largest difference of a value.
  public var absolute: Float
  /// The largest difference of a value relative to the largest magnitude in its row.
  public var relative: Float

  public init(absolute: Float, relative: Float) {
    self.absolute = absolute
    self.relative = relative
  }
}

extension QuantizedTensor {
  /// Stores the tensor as another scheme without quantizing it again: codes may be shifted, scales repeated, merged where they
  /// are equal bit for bit, and rounded to another format.
  ///
  /// Symmetric integers are those with a zero point in the middle; a zero point z is the minimum `-z * scale`; a minimum is a
  /// zero point where it is a whole number of scales. Codes fit more bits, and fewer where none is too large. Tables of levels
  /// stay what they are. What is exact is found by comparing the values, some rows at a time.
  ///
  /// - Parameter target: any scheme; those whose scales are searched (k-quants, double quantization) only as they are.
  /// - Returns: the tensor in that scheme and how near it is, or why there is none.
  /// - Complexity: O(elements).
  public func converted(to target: Scheme) -> SchemeConversion {
    if target == scheme { return .exact(self) }
    do throws(ConversionObstacle) {
      let source = try PlainGroups(self)
      let plain = try source.regrouped(as: target, rowCount: rowCount, columnCount: columnCount)
        .shifted(to: target, rowCount: rowCount, columnCount: columnCount)
      let tensor = try plain.stored(as: target, of: self)
      let result = try PlainGroups(tensor)
      let loss = try Self.loss(from: source, to: result, self, tensor)
      return loss.absolute == 0 ? .exact(tensor) : .near(tensor, loss)
    } catch {
      return .impossible(error.reason)
    }
  }

  /// Elements that are compared at a time.
  private static let comparedElementCount = 1 << 20

  private static func loss(
    from source: PlainGroups, to result: PlainGroups, _ sourceTensor: QuantizedTensor,
    _ resultTensor: QuantizedTensor
  ) throws(ConversionObstacle) -> ConversionLoss {
    let columnCount = sourceTensor.columnCount
    var loss = ConversionLoss(absolute: 0, relative: 0)
    guard columnCount > 0 else { return loss }
    let step = max(1, comparedElementCount / columnCount)
    for first in stride(from: 0, to: sourceTensor.rowCount, by: step) {
      let rows = first..<min(first + step, sourceTensor.rowCount)
      let before = try source.values(of: sourceTensor, rows: rows)
      let after = try result.values(of: resultTensor, rows: rows)
      for row in 0..<rows.count {
        var (largest, difference): (Float, Float) = (0, 0)
        for index in row * columnCount..<(row + 1) * columnCount {
          let magnitude = abs(before[index])
          if magnitude > largest { largest = magnitude }
          let distance = abs(before[index] - after[index])
          // Not a number is as far as can be.
          if !(distance <= difference) { difference = distance.isNaN ? .infinity : distance }
        }
        guard difference > 0 else { continue }
        loss.absolute = max(loss.absolute, difference)
        loss.relative = max(loss.relative, largest > 0 ? difference / largest : .infinity)
      }
    }
    return loss
  }
}

/// Why a conversion is impossible, in words.
struct ConversionObstacle: Error {
  let reason: String

  init(_ reason: String) { self.reason = reason }
}
