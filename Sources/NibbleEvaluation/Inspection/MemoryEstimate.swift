internal import Foundation
internal import NibbleModels

/// Bytes that a model's weights take in memory at one precision.
public struct MemoryEstimate: Sendable, Equatable {
  public var precision: Precision
  /// Bits of a weight of a matrix, scales included; nil for the file as it is.
  public var bitsPerWeight: Double?
  public var byteCount: Int

  /// The precisions that estimates are made for.
  public enum Precision: String, CaseIterable, Sendable {
    case stored, float32, float16, int8, int4

    /// The precision in words: "FP16 or BF16".
    public var title: String {
      switch self {
      case .stored: "as stored"
      case .float32: "FP32"
      case .float16: "FP16 or BF16"
      case .int8: "INT8"
      case .int4: "4-bit"
      }
    }

    /// Bits of a weight: those of the integer types include a 16-bit scale for 32 weights, as Q8_0 and Q4_0 store it.
    var bitsPerWeight: Double? {
      switch self {
      case .stored: nil
      case .float32: 32
      case .float16: 16
      case .int8: 8.5
      case .int4: 4.5
      }
    }
  }

  /// The estimates for all precisions. Integer types hold the matrices; vectors stay in FP32 beside them.
  ///
  /// - Parameters:
  ///   - storedByteCount: bytes of all tensors as they are.
  ///   - matrixCount: elements of tensors with two or more dimensions.
  ///   - vectorCount: elements of all others.
  /// - Returns: one estimate for each precision.
  static func all(storedByteCount: Int, matrixCount: Int, vectorCount: Int) -> [MemoryEstimate] {
    Precision.allCases.map { precision in
      guard let bits = precision.bitsPerWeight else {
        return MemoryEstimate(precision: precision, byteCount: storedByteCount)
      }
      let vectorBits = precision == .float16 ? 16.0 : 32.0
      let total = Double(matrixCount) * bits / 8 + Double(vectorCount) * vectorBits / 8
      return MemoryEstimate(
        precision: precision, bitsPerWeight: bits, byteCount: Int(total.rounded(.up)))
    }
  }
}

/// The memory that the keys and values of a context take: 2 × blocks × key-value heads × head size × bytes a position.
public struct CacheEstimate: Sendable, Equatable {
  /// Positions.
  public var contextCount: Int
  public var blockCount: Int
  public var keyValueHeadCount: Int
  public var headFeatureCount: Int
  /// Positions that attention looks back over, where the model limits them.
  public var slidingWindow: Int?

  init(_ config: ModelConfig, contextCount: Int) {
    self.contextCount = contextCount
    blockCount = config.blockCount
    keyValueHeadCount = config.keyValueHeadCount
    headFeatureCount = config.headFeatureCount
    slidingWindow = config.slidingWindow
  }

  /// Keys and values of one position.
  public var elementCountPerPosition: Int {
    2 * blockCount * keyValueHeadCount * headFeatureCount
  }

  /// The memory of the whole context.
  ///
  /// - Parameter bytesPerElement: 4 for FP32, 2 for FP16, 1.0625 for 8-bit blocks with a scale for 32.
  /// - Returns: bytes.
  public func byteCount(bytesPerElement: Double) -> Int {
    let count = Double(elementCountPerPosition) * Double(contextCount) * bytesPerElement
    return Int(exactly: count.rounded(.up)) ?? .max
  }
}
