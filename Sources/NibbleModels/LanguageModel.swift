internal import NibbleCheckpoints

/// A model that can be run: configuration, tokenizer and weights. Weights stay in their file's bytes, mapped.
public final class LanguageModel: Sendable {
  public let source: ModelSource
  public let tokenizer: Tokenizer
  let weights: WeightStore
  let architecture: any Architecture

  public let config: ModelConfig
  /// The file or folder that the model was read from.
  public var path: String { source.checkpoint.path }

  /// Opens a Hugging Face folder or a `.gguf` file.
  ///
  /// - Throws: ``CheckpointError`` or ``ModelError``, with the file's name.
  public convenience init(path: String) throws {
    try self.init(ModelSource.open(path))
  }

  public init(_ source: ModelSource) throws {
    self.source = source
    do {
      let family = try source.requireFamily()
      config = family.config
      architecture = family.architecture.init(config: family.config)
      let definition = try source.tokenizerDefinition()
      tokenizer = try Tokenizer(definition)
      weights = try WeightStore(source)
    } catch let error as ModelError {
      throw error.inFile(source.checkpoint.path)
    }
  }

  /// The model's own chat template.
  ///
  /// - Throws: ``ModelError/Code/template`` when it has none, or one that cannot be parsed.
  public func chatTemplate() throws(ModelError) -> ChatTemplate {
    guard let text = tokenizer.definition.chatTemplate else {
      throw ModelError(.template, "the model has no chat template", file: source.checkpoint.path)
    }
    do {
      return try ChatTemplate(source: text)
    } catch {
      throw error.inFile(source.checkpoint.path)
    }
  }
}
