internal import Foundation
internal import NibbleCheckpoints
internal import NibbleTensors

/// The tokenizer files of a Hugging Face folder, with or without weights beside them.
struct TokenizerFolder {
  /// The files that hold a vocabulary, the one that is read first in front.
  static let vocabularyNames = ["tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json"]
  /// All files that describe a tokenizer.
  static let fileNames =
    vocabularyNames + [
      "merges.txt", "added_tokens.json", "special_tokens_map.json", "tokenizer_config.json",
      "chat_template.jinja",
    ]

  let path: String

  /// The folder `path`, or the one that the file `path` stands in.
  init(_ path: String) {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    if exists, !isFolder.boolValue {
      let folder = (path as NSString).deletingLastPathComponent
      self.path = folder.isEmpty ? "." : folder
    } else {
      self.path = path
    }
  }

  /// Whether the folder holds a vocabulary.
  var hasVocabulary: Bool { Self.vocabularyNames.contains(where: has) }

  /// The bytes of a file; nil when there is none of that name.
  func bytes(_ name: String) throws -> [UInt8]? {
    guard has(name) else { return nil }
    return try Storage.mapping(path: file(name)).view.copy()
  }

  /// Reads the tokenizer.
  ///
  /// - Parameter vocabularySize: the rows of the embedding; nil takes `vocab_size` of `config.json`.
  /// - Returns: the tokenizer as data.
  /// - Throws: ``ModelError`` or ``CheckpointError`` with the name of the file that is wrong.
  func definition(vocabularySize: Int?) throws -> TokenizerDefinition {
    let modelConfig = try json("config.json")
    let config = try tokenizerConfig()
    let template = try text("chat_template.jinja")
    guard let name = Self.vocabularyNames.first(where: has) else {
      throw ModelError(
        .missing, "there is no tokenizer.json, tokenizer.model or vocab.json", file: path)
    }
    do {
      switch name {
      case "tokenizer.json":
        return try TokenizerDefinition(
          tokenizerJSON: json(name) ?? .null, tokenizerConfig: json("tokenizer_config.json"),
          modelConfig: modelConfig, vocabularySize: vocabularySize, chatTemplate: template)
      case "vocab.json":
        guard let merges = try text("merges.txt") else {
          throw ModelError(.missing, "there is no merges.txt beside it")
        }
        return try TokenizerDefinition(
          vocabulary: json(name) ?? .null, merges: merges, addedTokens: json("added_tokens.json"),
          tokenizerConfig: config, modelConfig: modelConfig, vocabularySize: vocabularySize,
          chatTemplate: template)
      default:
        return try TokenizerDefinition(
          sentencePiece: bytes(name) ?? [], addedTokens: json("added_tokens.json"),
          tokenizerConfig: config, modelConfig: modelConfig, vocabularySize: vocabularySize,
          chatTemplate: template)
      }
    } catch let error as ModelError {
      throw error.inFile(file(name))
    }
  }

  /// `tokenizer_config.json`, and of `special_tokens_map.json` what it leaves out.
  private func tokenizerConfig() throws -> JSONValue {
    var config = try json("tokenizer_config.json")?.object ?? JSONObject()
    let map = try json("special_tokens_map.json")?.object ?? JSONObject()
    for key in map.keys where config[key] == nil { config[key] = map[key] }
    return .object(config)
  }

  private func file(_ name: String) -> String {
    path.hasSuffix("/") ? path + name : "\(path)/\(name)"
  }

  private func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: file(name)) }

  private func json(_ name: String) throws -> JSONValue? {
    guard let bytes = try bytes(name) else { return nil }
    do {
      return try JSONValue.parse(bytes)
    } catch {
      throw error.inFile(file(name))
    }
  }

  private func text(_ name: String) throws -> String? {
    guard let bytes = try bytes(name) else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ModelError(.tokenizer, "is not UTF-8", file: file(name))
    }
    return text
  }
}

extension Tokenizer {
  /// Opens the tokenizer of a model: a Hugging Face folder, which needs no weights, a file inside one, or a GGUF file,
  /// which needs no tensors.
  ///
  /// - Throws: ``ModelError`` or ``CheckpointError`` with the name of the file that is wrong.
  public static func open(_ path: String) throws -> Tokenizer {
    let folder = TokenizerFolder(path)
    do {
      if !path.hasSuffix(".gguf"), folder.hasVocabulary {
        return try Tokenizer(folder.definition(vocabularySize: nil))
      }
      let checkpoint = try Checkpoint.open(path)
      guard checkpoint.format == .gguf else {
        return try Tokenizer(folder.definition(vocabularySize: nil))
      }
      return try Tokenizer(TokenizerDefinition(metadata: checkpoint.metadata))
    } catch let error as ModelError {
      throw error.inFile(path)
    }
  }
}
