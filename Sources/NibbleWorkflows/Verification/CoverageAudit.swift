public import NibbleCheckpoints
internal import NibbleModels
internal import NibbleTensors

/// How much of a model is stored in codes, what is not, and why.
public struct CoverageAudit: Sendable {
  /// A tensor that is stored in plain numbers.
  public struct Plain: Sendable {
    /// The name in a GGUF file.
    public var name: String
    /// The stored type's name.
    public var type: String
    public var parameterCount: Int
    public var byteCount: Int
    /// Why it is not quantized.
    public var reason: String
  }

  /// A matrix that is stored otherwise than the recipe wanted.
  public struct Fallback: Sendable {
    /// The name in a GGUF file.
    public var name: String
    /// The name of the type that the recipe gave it.
    public var wanted: String
    /// The stored type's name.
    public var type: String
    public var reason: String
  }

  public private(set) var tensorCount = 0
  public private(set) var quantizedTensorCount = 0
  public private(set) var parameterCount = 0
  public private(set) var quantizedParameterCount = 0
  /// Bytes of all tensors, scales included.
  public private(set) var byteCount = 0
  public private(set) var quantizedByteCount = 0
  public private(set) var plain: [Plain] = []
  public private(set) var fallbacks: [Fallback] = []

  /// One line for each wanted type, stored type and reason: "180 matrices such as NAME: the recipe wanted Q4_K, ...".
  public var fallbackLines: [String] {
    var kinds: [String] = []
    var names: [String: [String]] = [:]
    for fallback in fallbacks {
      let kind =
        "the recipe wanted \(fallback.wanted), the file holds \(fallback.type): \(fallback.reason)"
      if names[kind] == nil { kinds.append(kind) }
      names[kind, default: []].append(fallback.name)
    }
    return kinds.map { kind in
      let names = names[kind] ?? []
      let first = names.first ?? ""
      return (names.count == 1 ? first : "\(names.count) matrices such as \(first)") + ": " + kind
    }
  }

  /// Bits that a weight takes on average, scales included.
  public var bitsPerWeight: Double {
    parameterCount > 0 ? 8 * Double(byteCount) / Double(parameterCount) : 0
  }

  /// The share of all weights that are stored in codes.
  public var quantizedParameterShare: Double {
    parameterCount > 0 ? Double(quantizedParameterCount) / Double(parameterCount) : 0
  }

  /// The share of all bytes that codes and their scales take.
  public var quantizedByteShare: Double {
    byteCount > 0 ? Double(quantizedByteCount) / Double(byteCount) : 0
  }

  /// Counts the tensors of a model.
  ///
  /// - Parameters:
  ///   - model: the model to judge.
  ///   - wishes: what the recipe gives each tensor of the original, by its name in GGUF files; empty where that is not known.
  init(_ model: ModelSource, wishes: [String: TypeWish]) {
    for tensor in model.mapped(to: .gguf).sorted(by: { ggufOrder($0.name) < ggufOrder($1.name) }) {
      let count = tensor.origin.elementCount
      let byteCount = tensor.origin.byteCount
      tensorCount += 1
      parameterCount += count
      self.byteCount += byteCount
      if tensor.type.isQuantized {
        quantizedTensorCount += 1
        quantizedParameterCount += count
        quantizedByteCount += byteCount
      } else {
        plain.append(
          Plain(
            name: tensor.name, type: tensor.type.name, parameterCount: count, byteCount: byteCount,
            reason: Self.reason(tensor, wishes[tensor.name])))
      }
      if let fallback = Self.fallback(tensor, wishes[tensor.name]) { fallbacks.append(fallback) }
    }
  }

  private static func reason(_ tensor: MappedTensor, _ wish: TypeWish?) -> String {
    if let wish {
      if wish.decision.type.isQuantized {
        return "the recipe gives it \(wish.decision.type.name), but the file holds plain numbers"
      }
      if let reason = wish.decision.reason { return reason }
      if !wish.wanted.type.isQuantized { return "the recipe gives it \(wish.wanted.type.name)" }
    }
    let selectable = SelectableTensor(
      name: tensor.name, shape: tensor.shape, keptType: tensor.type)
    return reasonToKeep(selectable) ?? "a matrix in plain numbers; no recipe tells why"
  }

  private static func fallback(_ tensor: MappedTensor, _ wish: TypeWish?) -> Fallback? {
    guard let wish, wish.wanted.type.isQuantized else { return nil }
    let reason: String
    if wish.decision.type != wish.wanted.type {
      reason = wish.decision.reason ?? "its rows do not fill the type's blocks"
    } else if !tensor.type.isQuantized {
      reason = "the file holds plain numbers"
    } else {
      return nil
    }
    return Fallback(
      name: tensor.name, wanted: wish.wanted.type.name, type: tensor.type.name, reason: reason)
  }

  /// The audit as a JSON object.
  public var json: JSONValue {
    [
      "tensors": .integer(Int64(tensorCount)),
      "quantized_tensors": .integer(Int64(quantizedTensorCount)),
      "parameters": .integer(Int64(parameterCount)),
      "quantized_parameters": .integer(Int64(quantizedParameterCount)),
      "quantized_parameter_share": .number(quantizedParameterShare),
      "bytes": .integer(Int64(byteCount)),
      "quantized_bytes": .integer(Int64(quantizedByteCount)),
      "quantized_byte_share": .number(quantizedByteShare),
      "bits_per_weight": .number(bitsPerWeight),
      "not_quantized": .array(
        plain.map { tensor in
          [
            "name": .string(tensor.name), "type": .string(tensor.type),
            "parameters": .integer(Int64(tensor.parameterCount)),
            "bytes": .integer(Int64(tensor.byteCount)), "reason": .string(tensor.reason),
          ]
        }),
      "fallbacks": .array(
        fallbacks.map { tensor in
          [
            "name": .string(tensor.name), "wanted": .string(tensor.wanted),
            "type": .string(tensor.type), "reason": .string(tensor.reason),
          ]
        }),
    ]
  }
}

/// What a recipe gives a tensor.
struct TypeWish {
  /// What the rules say.
  var wanted: TypeDecision
  /// What the tensor gets, since its rows must fill blocks.
  var decision: TypeDecision
}

extension QuantizeJob {
  /// What the job gives each tensor of `model`, by its name in GGUF files.
  ///
  /// - Throws: ``RecipeError`` when the recipe does not fit the model.
  func wishes(_ model: ModelSource) throws(RecipeError) -> [String: TypeWish] {
    let folderNames = Dictionary(
      model.mapped(to: .huggingFace).map { ($0.id.ofAllExperts, $0.name) },
      uniquingKeysWith: { first, _ in first })
    let tensors = model.mapped(to: .gguf).map { tensor in
      SelectableTensor(
        name: tensor.name, folderName: folderNames[tensor.id.ofAllExperts] ?? "",
        shape: tensor.shape,
        keptType: chosenFormat == .gguf ? keptType(tensor, in: model) : tensor.type)
    }
    let facts = MixFacts(model)
    let wanted = try selection.wanted(tensors, facts)
    let decisions = try selection.decide(tensors, facts)
    var wishes: [String: TypeWish] = [:]
    for (index, tensor) in tensors.enumerated() {
      wishes[tensor.name] = TypeWish(wanted: wanted[index], decision: decisions[index])
    }
    return wishes
  }
}
