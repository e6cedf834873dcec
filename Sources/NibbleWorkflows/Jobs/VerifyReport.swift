public import NibbleCheckpoints
internal import NibbleQuantization
internal import NibbleTensors

/// How one tensor compares with the reference's.
public struct ComparedTensor: Sendable {
  /// The name in a GGUF file.
  public var name: String
  /// Dimensions, slowest first.
  public var shape: [Int]
  public var type: StoredType
  public var referenceType: StoredType
  /// ‖W − Ŵ‖² / ‖W‖².
  public var relativeError: Double
  /// What is wrong with it; nil when it passes.
  public var failure: String?
}

/// The result of comparing a model with the one that it was made from.
public struct VerifyReport: Sendable {
  public var tensors: [ComparedTensor]
  /// What does not hold, in words.
  public var failures: [String]
  public var seconds: Double

  public var isVerified: Bool { failures.isEmpty }

  /// The report as one JSON object.
  public var json: JSONValue {
    [
      "verified": .bool(isVerified),
      "seconds": .number(seconds),
      "failures": .array(failures.map { .string($0) }),
      "tensors": .array(
        tensors.map { tensor in
          [
            "name": .string(tensor.name),
            "shape": .array(tensor.shape.map { .integer(Int64($0)) }),
            "type": .string(tensor.type.name),
            "reference_type": .string(tensor.referenceType.name),
            "relative_error": .number(tensor.relativeError),
            "failure": tensor.failure.map { .string($0) } ?? .null,
          ]
        }),
    ]
  }
}

/// Relative errors that tell lost data from the loss that a type is expected to bring.
///
/// Five to thirty times what round-to-nearest costs on Gaussian weights, since trained weights have heavier tails.
enum ErrorCeiling {
  static func relativeError(of type: StoredType) -> Double {
    switch type {
    case .plain(.float32), .plain(.float64): 1e-4
    case .plain(.float16), .plain(.bfloat16): 1e-4
    case .plain: 0.05
    case .blocks(let type):
      switch type.bitsPerWeight {
      case 8...: 1e-3
      case 6.5...: 5e-3
      case 5.5...: 1e-2
      case 4...: 5e-2
      case 3...: 0.15
      default: 0.5
      }
    // Scales of whole rows or tensors leave much more error than those of blocks.
    case .scheme(let scheme):
      switch scheme.element.bitCount {
      case 8...: 2e-2
      case 6...: 0.1
      case 4...: 0.4
      case 3...: 0.7
      default: 1
      }
    }
  }
}
