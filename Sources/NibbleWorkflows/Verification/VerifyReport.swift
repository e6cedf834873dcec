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
  /// Whether channels of the tensor were scaled; the reference was scaled likewise before it was compared.
  public var isScaled: Bool
  /// SHA-256 of the stored bytes, codes and scales: 64 hexadecimal digits. Empty until they are hashed.
  public var hash = ""
  /// What is wrong with it; nil when it passes.
  public var failure: String?
}

/// The result of comparing a model with the one that it was made from.
public struct VerifyReport: Sendable {
  /// The model that was judged.
  public var model: String
  /// The model that it was compared with.
  public var reference: String
  public var tensors: [ComparedTensor] = []
  /// What does not hold, in words.
  public var failures: [String] = []
  /// What the user should know.
  public var notes: [String] = []
  /// What is quantized, and what is not; nil before it was looked at.
  public var audit: CoverageAudit?
  /// ``WeightHash/total`` of the model's tensors.
  public var hash = ""
  /// ``WeightHash/total`` of the reference's tensors; nil where the model does not say what it was made from.
  public var referenceHash: String?
  /// What the model's files say of how they were made; nil where they do not, or not so that it is understood.
  public var provenance: Provenance?
  /// What both models predict; nil where they were not run.
  public var logits: LogitCheck?
  public var seconds = 0.0

  init(model: String, reference: String) {
    self.model = model
    self.reference = reference
  }

  public var isVerified: Bool { failures.isEmpty }

  /// Whether the model was made from these very tensors; nil where the model does not say from which.
  public var isMadeFromReference: Bool? {
    guard let provenance, let referenceHash else { return nil }
    return ([provenance] + provenance.history).contains { $0.source.hash == referenceHash }
  }

  /// The report as one JSON object.
  public var json: JSONValue {
    [
      "verified": .bool(isVerified),
      "seconds": .number(seconds),
      "failures": .array(failures.map { .string($0) }),
      "notes": .array(notes.map { .string($0) }),
      "coverage": audit?.json ?? .null,
      "weights_sha256": .string(hash),
      "provenance": provenance?.json ?? .null,
      "made_from_reference": isMadeFromReference.map { .bool($0) } ?? .null,
      "logits": logits?.json ?? .null,
      "tensors": .array(
        tensors.map { tensor in
          [
            "name": .string(tensor.name),
            "shape": .array(tensor.shape.map { .integer(Int64($0)) }),
            "type": .string(tensor.type.name),
            "reference_type": .string(tensor.referenceType.name),
            "relative_error": .number(tensor.relativeError),
            "scaled": .bool(tensor.isScaled),
            "sha256": .string(tensor.hash),
            "failure": tensor.failure.map { .string($0) } ?? .null,
          ]
        }),
    ]
  }

  /// What is stored in the model's files: the figures, without times.
  public var verdict: JSONValue {
    var verdict = JSONObject([
      "verdict": 1, "version": .string(NibbleVersion.current), "verified": .bool(isVerified),
      "weights_sha256": .string(hash), "reference": .string(reference),
    ])
    verdict["reference_sha256"] = referenceHash.map { .string($0) }
    verdict["made_from_reference"] = isMadeFromReference.map { .bool($0) }
    verdict["failures"] = .array(failures.map { .string($0) })
    verdict["tensors"] = .integer(Int64(tensors.count))
    if let worst = tensors.max(by: { $0.relativeError < $1.relativeError }) {
      verdict["largest_relative_error"] = .number(worst.relativeError)
      verdict["worst_tensor"] = .string(worst.name)
    }
    if let audit {
      verdict["bits_per_weight"] = .number(audit.bitsPerWeight)
      verdict["quantized_parameter_share"] = .number(audit.quantizedParameterShare)
      verdict["fallbacks"] = .integer(Int64(audit.fallbacks.count))
    }
    verdict["logits"] = logits?.json
    return .object(verdict)
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
