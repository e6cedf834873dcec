public import NibbleCheckpoints
public import NibbleQuantization
internal import _StringProcessing

/// Which type each tensor of a file gets: a mix or a scheme, and the user's exceptions from it.
public struct TypeSelection: Sendable, Equatable {
  /// What a matrix gets that no exception speaks of.
  public enum Base: Hashable, Sendable {
    /// The types that llama-quantize gives it.
    case mix(QuantizationMix)
    /// This scheme, but for the embeddings and the output matrix: these are kept unless a type is asked for.
    case scheme(Scheme)
  }

  /// An exception: tensors whose name contains a match of the regular expression get a type.
  public struct Override: Sendable, Equatable {
    public var pattern: String
    public var type: StoredType

    public init(pattern: String, type: StoredType) {
      self.pattern = pattern
      self.type = type
    }
  }

  public var base: Base
  /// Gives every matrix the base type.
  public var isPure = false
  /// The type of the matrix that makes the logits.
  public var outputType: StoredType?
  /// The type of the token embeddings.
  public var embeddingType: StoredType?
  /// Exceptions by name; the first that matches counts.
  public var overrides: [Override] = []
  /// Regular expressions of names whose tensors stay in the source's type.
  public var keepPatterns: [String] = []

  public init(base: Base) { self.base = base }

  public init(mix: QuantizationMix) { base = .mix(mix) }

  public init(scheme: Scheme) { base = .scheme(scheme) }

  /// The type of every matrix that no rule speaks of.
  public var baseType: StoredType {
    switch base {
    case .mix(let mix): StoredType(mix.baseType)
    case .scheme(let scheme): .scheme(scheme)
    }
  }
}

/// A tensor as the selection sees it.
public struct SelectableTensor: Sendable {
  /// The name in a GGUF file.
  public var name: String
  /// The name in a Hugging Face folder, which patterns may match too.
  public var folderName: String
  /// Dimensions, slowest first.
  public var shape: [Int]
  /// The type that the tensor keeps when it is not quantized.
  public var keptType: StoredType

  public init(name: String, folderName: String = "", shape: [Int], keptType: StoredType) {
    self.name = name
    self.folderName = folderName
    self.shape = shape
    self.keptType = keptType
  }
}

/// The type that a tensor gets, and why where that is not plainly the base type.
public struct TypeDecision: Sendable, Equatable {
  public var type: StoredType
  public var reason: String?

  public init(type: StoredType, reason: String?) {
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
    zip(tensors, try wanted(tensors, facts)).map { tensor, wanted in
      fitting(wanted, columnCount: tensor.shape.last ?? 1)
    }
  }

  /// The type that every tensor would get if its rows filled any blocks.
  ///
  /// - Throws: as ``decide(_:_:)``.
  func wanted(
    _ tensors: [SelectableTensor], _ facts: MixFacts
  ) throws(RecipeError) -> [TypeDecision] {
    let matrices = tensors.filter { reasonToKeep($0) == nil }
    let exceptions = try Exceptions(self, matrices)
    let valueIndices = valueIndices(of: matrices.map(\.name))
    let rules = MixRules(mix: mix, facts: facts, valueTensorCount: valueIndices.count)
    return tensors.map { tensor in
      if let reason = reasonToKeep(tensor) ?? exceptions.reasonToKeep(tensor) {
        return TypeDecision(
          type: tensor.keptType, reason: "\(reason), kept in \(tensor.keptType.name)")
      }
      return wantedType(tensor, exceptions, rules, valueIndices)
    }
  }

  /// The mix whose rules hold; a scheme has none.
  private var mix: QuantizationMix {
    if case .mix(let mix) = base { mix } else { .f32 }
  }

  private func wantedType(
    _ tensor: SelectableTensor, _ exceptions: Exceptions, _ rules: MixRules,
    _ valueIndices: [String: Int]
  ) -> TypeDecision {
    let name = tensor.name
    let isEmbedding = isTokenEmbedding(name)
    let isOutput = isOutputMatrix(name) || isEmbedding && rules.facts.hasTiedEmbeddings
    if let override = exceptions.override(tensor) {
      return TypeDecision(type: override.type, reason: "override '\(override.pattern)'")
    }
    if isEmbedding, let embeddingType {
      return TypeDecision(type: embeddingType, reason: "embedding type asked for")
    }
    if isOutput, let outputType {
      return TypeDecision(type: outputType, reason: "output type asked for")
    }
    if isPure { return TypeDecision(type: baseType, reason: nil) }
    if case .scheme = base {
      guard isEmbedding || isOutput else { return TypeDecision(type: baseType, reason: nil) }
      let role = isEmbedding ? "embeddings" : "output matrix"
      return TypeDecision(
        type: tensor.keptType,
        reason: "\(role), kept in \(tensor.keptType.name) unless a type is asked for")
    }
    if isEmbedding && !isOutput { return TypeDecision(type: baseType, reason: nil) }
    if isOutput {
      let type = StoredType(rules.outputType(columnCount: tensor.shape.last ?? 1))
      let role = isEmbedding ? "embeddings are also the output matrix" : "output matrix"
      return TypeDecision(type: type, reason: type == baseType ? nil : role)
    }
    let type = StoredType(
      rules.type(name, block: blockIndex(of: name) ?? 0, valueIndex: valueIndices[name] ?? 0))
    return TypeDecision(type: type, reason: type == baseType ? nil : "raised by \(mix.name)")
  }

  /// Replaces a type whose blocks do not divide the rows.
  private func fitting(_ wanted: TypeDecision, columnCount: Int) -> TypeDecision {
    guard case .blocks(let wantedType) = wanted.type else { return wanted }
    let type = fallbackType(wantedType, columnCount: columnCount)
    guard type != wantedType else { return wanted }
    let blockCount =
      type == .f16 && columnCount % 32 != 0 ? 32 : wantedType.block.elementCount
    let fallback =
      "\(columnCount) columns are no multiple of \(blockCount): \(wantedType.name) became \(type.name)"
    return TypeDecision(
      type: StoredType(type),
      reason: [wanted.reason, fallback].compactMap { $0 }.joined(separator: "; "))
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

  init(_ selection: TypeSelection, _ matrices: [SelectableTensor]) throws(RecipeError) {
    for override in selection.overrides {
      overrides.append((try Self.compile(override.pattern, matrices, "override"), override))
    }
    for pattern in selection.keepPatterns {
      keeps.append((try Self.compile(pattern, matrices, "keep"), pattern))
    }
  }

  private static func compile(
    _ pattern: String, _ matrices: [SelectableTensor], _ option: String
  ) throws(RecipeError) -> Regex<AnyRegexOutput> {
    guard let regex = try? Regex(pattern) else {
      throw RecipeError("--\(option) '\(pattern)': this is no regular expression")
    }
    guard matrices.contains(where: { $0.matches(regex) }) else {
      throw RecipeError(
        "--\(option) '\(pattern)': matches no tensor that would be quantized, neither by its name in GGUF files"
          + " (blk.0.attn_q.weight) nor in Hugging Face folders"
      )
    }
    return regex
  }

  func override(_ tensor: SelectableTensor) -> TypeSelection.Override? {
    overrides.first { tensor.matches($0.regex) }?.override
  }

  func reasonToKeep(_ tensor: SelectableTensor) -> String? {
    keeps.first { tensor.matches($0.regex) }.map { "--keep '\($0.pattern)'" }
  }
}

extension SelectableTensor {
  fileprivate func matches(_ regex: Regex<AnyRegexOutput>) -> Bool {
    name.contains(regex) || folderName.contains(regex)
  }
}
