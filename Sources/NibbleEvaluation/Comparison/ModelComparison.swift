public import NibbleCheckpoints

/// How models compare with the one that they were made from.
public struct ModelComparison: Sendable {
  /// The original's path as the caller gave it.
  public var original: String
  /// One for each model, in the order given.
  public var candidates: [CandidateComparison]
  /// What the user should hear of, one line each.
  public var notes: [String]
}

/// How one model compares with the original.
public struct CandidateComparison: Sendable {
  /// The path as the caller gave it.
  public var path: String
  /// The file format's name.
  public var format: String
  /// Bytes of all tensors, without the file's header.
  public var byteCount: Int
  /// Bits of an element on average, over all tensors of the file.
  public var bitsPerWeight: Double
  /// The tensors that both hold, in the original's order.
  public var tensors: [TensorDistortion]
  /// All of them together.
  public var total: Distortion
  /// The tensors of each role together, in the order of ``WeightRole``.
  public var roles: [RoleDistortion]
  /// Names of the original's tensors that the candidate lacks.
  public var missing: [String]
  /// Names of the candidate's tensors that the original lacks.
  public var additional: [String]
  /// Tensors that both hold and that cannot be compared, with the reason.
  public var incomparable: [String]

  /// The tensors with the largest relative error first.
  public var worstFirst: [TensorDistortion] {
    tensors.enumerated().sorted { first, second in
      (second.element.distortion.relativeError, first.offset)
        < (first.element.distortion.relativeError, second.offset)
    }.map(\.element)
  }
}

/// How one tensor compares with the original's.
public struct TensorDistortion: Sendable {
  /// The name in a GGUF file, or that in the files where their architecture is not known.
  public var name: String
  /// Dimensions, slowest first.
  public var shape: [Int]
  public var role: WeightRole
  /// The block's index; nil outside the blocks.
  public var block: Int?
  /// The original's stored type: "BF16".
  public var originalType: String
  /// The candidate's stored type: "Q4_K".
  public var type: String
  public var distortion: Distortion
}

/// How the tensors of one role compare with the original's.
public struct RoleDistortion: Sendable {
  public var role: WeightRole
  public var distortion: Distortion
}

extension ModelComparison {
  /// The comparison as one JSON object.
  public var json: JSONValue {
    [
      "original": .string(original), "candidates": .array(candidates.map(\.json)),
      "notes": .array(notes.map { .string($0) }),
    ]
  }
}

extension CandidateComparison {
  fileprivate var json: JSONValue {
    func names(_ list: [String]) -> JSONValue { .array(list.map { .string($0) }) }
    let roles = roles.map { role -> JSONValue in
      var object = JSONObject(["role": .string(role.role.rawValue)])
      role.distortion.describe(in: &object)
      return .object(object)
    }
    var object = JSONObject([
      "model": .string(path), "format": .string(format), "bytes": .integer(Int64(byteCount)),
      "bits_per_weight": .number(bitsPerWeight),
    ])
    var sums = JSONObject()
    total.describe(in: &sums)
    object["total"] = .object(sums)
    object["roles"] = .array(roles)
    object["missing"] = names(missing)
    object["additional"] = names(additional)
    object["incomparable"] = names(incomparable)
    object["tensors"] = .array(tensors.map(\.json))
    return .object(object)
  }
}

extension TensorDistortion {
  fileprivate var json: JSONValue {
    var object = JSONObject([
      "name": .string(name), "shape": .array(shape.map { .integer(Int64($0)) }),
      "role": .string(role.rawValue), "original_type": .string(originalType),
      "type": .string(type),
    ])
    distortion.describe(in: &object)
    return .object(object)
  }
}

extension Distortion {
  /// Sets the members that describe the distortion; what has no finite value becomes null.
  fileprivate func describe(in object: inout JSONObject) {
    func optional(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
    object["parameters"] = .integer(Int64(count))
    object["bits_per_weight"] = .number(bitsPerWeight)
    object["relative_error"] = .number(relativeError)
    object["sqnr_db"] = optional(signalToNoise)
    object["cosine"] = optional(cosine)
    object["largest_error"] = .number(largestError)
    object["bound_distance_db"] = optional(boundDistance)
    object["non_finite"] = .integer(Int64(nonFiniteCount))
  }
}
