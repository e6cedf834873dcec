internal import NibbleCheckpoints
public import NibbleTensors

/// A model that can be run: configuration, tokenizer and weights.
///
/// Weights stay in their file's bytes, mapped, but those of schemes with integer kernels, which are copied once to the order
/// in which these read them.
public final class LanguageModel: Sendable {
  public let source: ModelSource
  public let tokenizer: Tokenizer
  let weights: WeightStore
  let architecture: any Architecture

  public let config: ModelConfig
  /// The file or folder that the model was read from.
  public var path: String { source.checkpoint.path }

  /// Bytes that weights take in memory beside the model's files.
  public var arrangedByteCount: Int { weights.arrangedByteCount }

  /// Opens a Hugging Face folder or a `.gguf` file.
  ///
  /// - Parameters:
  ///   - path: the folder or file.
  ///   - products: how weights in schemes are multiplied.
  ///   - pool: the threads that prepare weights; nil takes all processors.
  /// - Throws: ``CheckpointError`` or ``ModelError``, with the file's name.
  public convenience init(
    path: String, products: SchemeProducts = .integer, pool: WorkerPool? = nil
  ) throws {
    try self.init(ModelSource.open(path), products: products, pool: pool)
  }

  /// Prepares a model that was opened.
  ///
  /// - Parameters:
  ///   - source: the model's files.
  ///   - products: how weights in schemes are multiplied.
  ///   - pool: the threads that prepare weights; nil takes all processors.
  /// - Throws: ``CheckpointError`` or ``ModelError``, with the file's name.
  public init(
    _ source: ModelSource, products: SchemeProducts = .integer, pool: WorkerPool? = nil
  ) throws {
    self.source = source
    do {
      let family = try source.requireFamily()
      config = family.config
      architecture = family.architecture.init(config: family.config)
      let definition = try source.tokenizerDefinition()
      tokenizer = try Tokenizer(definition)
      let arranges = products == .integer && source.holdsSchemes
      weights = try WeightStore(source, arrangedBy: arranges ? pool ?? WorkerPool() : nil)
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
