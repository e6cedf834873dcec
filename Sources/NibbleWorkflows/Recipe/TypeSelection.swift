public import NibbleQuantization
internal import _StringProcessing

/// Which type each tensor of a file gets: a mix and the user's exceptions from it.
public struct TypeSelection: Sendable {
  /// An exception: tensors whose name contains a match of the regular expression get a type.
  public struct Override: Sendable, Equatable {
    public var pattern: String
    public var type: GGMLType

    public init(pattern: String, type: GGMLType) {
      self.pattern = pattern
      self.type = type
    }
  }

  public var mix: QuantizationMix
  /// Gives every matrix the mix's base type.
  public var isPure = false
  /// The type of the matrix that makes the logits.
  public var outputType: GGMLType?
  /// The type of the token embeddings.
  public var embeddingType: GGMLType?
  /// Exceptions by name; the first that matches counts.
  public var overrides: [Override] = []
  /// Regular expressions of names whose tensors stay in the source's type.
  public var keepPatterns: [String] = []

  public init(mix: QuantizationMix) { self.mix = mix }
}

/// A tensor as the selection sees it.
public struct SelectableTensor: Sendable {
  /// The name in a GGUF file.
  public var name: String
  /// Dimensions, slowest first.
  public var shape: [Int]
  /// The type that the tensor keeps when it is not quantized.
  public var keptType: GGMLType

  public init(name: String, shape: [Int], keptType: GGMLType) {
    self.name = name
    self.shape = shape
    self.keptType = keptType
  }
}

/// The type that a tensor gets, and why where that is not plainly the mix's base type.
public struct TypeDecision: Sendable, Equatable {
  public var type: GGMLType
  public var reason: String?

  public init(type: GGMLType, reason: String?) {
    self.type = type
    self.reason = reason
  }
}

/// A request that contradicts itself or the model.
public struct RecipeError: Error, CustomStringConvertible, Sendable {
  public let description: String

  public init(_ description: String) { self.description = description }
}

extension TypeSelection {
  /// Decides the type of every tensor.
  ///
  /// - Throws: ``RecipeError`` for a pattern that is no regular expression or matches no tensor that could be quantized.
  public func decide(
    _ tensors: [SelectableTensor], _ facts: MixFacts
  ) throws(RecipeError) -> [TypeDecision] {
    let matrices = tensors.filter { reasonToKeep($0) == nil }.map(\.name)
    let exceptions = try Exceptions(self, matrices)
    let valueIndices = valueIndices(of: matrices)
    let rules = MixRules(mix: mix, facts: facts, valueTensorCount: valueIndices.count)
    return tensors.map { tensor in
      if let reason = reasonToKeep(tensor) ?? exceptions.reasonToKeep(tensor.name) {
        return TypeDecision(
          type: tensor.keptType, reason: "\(reason), kept in \(tensor.keptType.name)")
      }
      let wanted = wantedType(tensor, exceptions, rules, valueIndices)
      return fitting(wanted, columnCount: tensor.shape.last ?? 1)
    }
  }

  private func wantedType(
    _ tensor: SelectableTensor, _ exceptions: Exceptions, _ rules: MixRules,
    _ valueIndices: [String: Int]
  ) -> TypeDecision {
    let name = tensor.name
    let isEmbedding = name == "token_embd.weight"
    let isOutput = name == "output.weight" || isEmbedding && rules.facts.hasTiedEmbeddings
    if let override = exceptions.override(name) {
      return TypeDecision(type: override.type, reason: "override '\(override.pattern)'")
    }
    if isEmbedding, let embeddingType {
      return TypeDecision(type: embeddingType, reason: "embedding type asked for")
    }
    if isOutput, let outputType {
      return TypeDecision(type: outputType, reason: "output type asked for")
    }
    if isPure || isEmbedding && !isOutput { return TypeDecision(type: mix.baseType, reason: nil) }
    if isOutput {
      let type = rules.outputType(columnCount: tensor.shape.last ?? 1)
      let role = isEmbedding ? "embeddings are also the output matrix" : "output matrix"
      return TypeDecision(type: type, reason: type == mix.baseType ? nil : role)
    }
    let type = rules.type(
      name, block: blockIndex(of: name) ?? 0, valueIndex: valueIndices[name] ?? 0)
    return TypeDecision(type: type, reason: type == mix.baseType ? nil : "raised by \(mix.name)")
  }

  /// Replaces a type whose blocks do not divide the rows.
  private func fitting(_ wanted: TypeDecision, columnCount: Int) -> TypeDecision {
    let type = fallbackType(wanted.type, columnCount: columnCount)
    guard type != wanted.type else { return wanted }
    let blockCount =
      type == .f16 && columnCount % 32 != 0 ? 32 : wanted.type.block.elementCount
    let fallback =
      "\(columnCount) columns are no multiple of \(blockCount): \(wanted.type.name) became \(type.name)"
    return TypeDecision(
      type: type, reason: [wanted.reason, fallback].compactMap { $0 }.joined(separator: "; "))
  }

  /// The position of each value projection in layer order.
  private func valueIndices(of names: [String]) -> [String: Int] {
    let values = names.filter(MixRules.isValueLike)
      .sorted { (blockIndex(of: $0) ?? 0, $0) < (blockIndex(of: $1) ?? 0, $1) }
    return Dictionary(uniqueKeysWithValues: values.enumerated().map { ($1, $0) })
  }
}

/// The user's patterns, compiled.
private struct Exceptions {
  private var overrides: [(regex: Regex<AnyRegexOutput>, override: TypeSelection.Override)] = []
  private var keeps: [(regex: Regex<AnyRegexOutput>, pattern: String)] = []

  init(_ selection: TypeSelection, _ matrices: [String]) throws(RecipeError) {
    for override in selection.overrides {
      overrides.append((try Self.compile(override.pattern, matrices, "override"), override))
    }
    for pattern in selection.keepPatterns {
      keeps.append((try Self.compile(pattern, matrices, "keep"), pattern))
    }
  }

  private static func compile(
    _ pattern: String, _ matrices: [String], _ option: String
  ) throws(RecipeError) -> Regex<AnyRegexOutput> {
    guard let regex = try? Regex(pattern) else {
      throw RecipeError("--\(option) '\(pattern)': this is no regular expression")
    }
    guard matrices.contains(where: { $0.contains(regex) }) else {
      throw RecipeError(
        "--\(option) '\(pattern)': matches no tensor that would be quantized (names are as in GGUF files: blk.0.attn_q.weight)"
      )
    }
    return regex
  }

  func override(_ name: String) -> TypeSelection.Override? {
    overrides.first { name.contains($0.regex) }?.override
  }

  func reasonToKeep(_ name: String) -> String? {
    keeps.first { name.contains($0.regex) }.map { "--keep '\($0.pattern)'" }
  }
}
