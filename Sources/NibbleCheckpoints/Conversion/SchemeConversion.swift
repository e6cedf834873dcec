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

  /// The loss of two parts of a tensor together.
  public func union(_ other: ConversionLoss) -> ConversionLoss {
    ConversionLoss(
      absolute: max(absolute, other.absolute), relative: max(relative, other.relative))
  }
}

extension QuantizedTensor {
  /// Stores the tensor as another scheme without quantizing it again: codes may be shifted, scales repeated, merged where they
  /// are equal bit for bit, and rounded to another format.
  ///
  /// Symmetric integers are those with a zero point in the middle; a zero point z is the minimum `-z * scale`; a minimum is a
  /// zero point where it is a whole number of scales. Codes fit more bits, and fewer where none is too large. Tables of levels
  /// stay what they are. What is exact is found by comparing the values, group by group where all levels are the
  /// same, else some rows at a time.
  ///
  /// - Parameter target: any scheme; those whose scales are searched (k-quants, double quantization) only as they are.
  /// - Returns: the tensor in that scheme and how near it is, or why there is none.
  /// - Complexity: O(elements).
  public func converted(to target: Scheme) -> SchemeConversion {
    if target == scheme { return .exact(self) }
    do throws(ConversionObstacle) {
      let attempt = try ConversionAttempt(self, target)
      if attempt.hasEqualLevels { return .exact(attempt.tensor) }
      let loss = try attempt.loss(isExactnessAll: false)
      return loss.absolute == 0 ? .exact(attempt.tensor) : .near(attempt.tensor, loss)
    } catch {
      return .impossible(error.reason)
    }
  }

  /// Whether another scheme holds the same values; looks no farther than to the first that differs.
  public func isExactly(as target: Scheme) -> Bool {
    if target == scheme { return true }
    do throws(ConversionObstacle) {
      let attempt = try ConversionAttempt(self, target)
      if attempt.hasEqualLevels { return true }
      return try attempt.loss(isExactnessAll: true).absolute == 0
    } catch {
      return false
    }
  }
}

/// Why a conversion is impossible, in words.
struct ConversionObstacle: Error {
  let reason: String

  init(_ reason: String) { self.reason = reason }
}
