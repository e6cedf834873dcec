internal import Foundation
public import NibbleCheckpoints

extension ModelSource {
  /// The tokenizer that the checkpoint describes.
  public func tokenizerDefinition() throws -> TokenizerDefinition {
    switch naming {
    case .gguf: return try TokenizerDefinition(metadata: checkpoint.metadata)
    case .huggingFace:
      var definition = try TokenizerFolder(checkpoint.path)
        .definition(vocabularySize: try requireConfig().vocabularyCount)
      for id in try generationEndTokens() where !definition.endTokenIDs.contains(id) {
        definition.endTokenIDs.append(id)
      }
      return definition
    }
  }

  /// The tokens that `generation_config.json` ends an answer with; chat models often list more there.
  private func generationEndTokens() throws -> [Int] {
    guard let value = try checkpoint.json("generation_config.json")?["eos_token_id"] else {
      return []
    }
    let ids = (value.array ?? [value]).compactMap(\.integer)
    let count = try requireConfig().vocabularyCount
    return ids.filter { (0..<count).contains($0) }
  }

  /// All keys of a GGUF file with this model but those that tell how it was quantized and made.
  public func ggufMetadata() throws -> Metadata {
    if naming == .gguf {
      var metadata = checkpoint.metadata
      for key in metadata.keys where key.hasPrefix("split.") { metadata[key] = nil }
      metadata["general.file_type"] = nil
      metadata["general.quantization_version"] = nil
      metadata.removeAnnotations()
      return metadata
    }
    let name = URL(fileURLWithPath: checkpoint.path).standardizedFileURL.lastPathComponent
    let family = try requireFamily()
    var metadata = family.config.metadata(family.architecture, name: name)
    let tokenizer = try tokenizerDefinition().metadata()
    for key in tokenizer.keys { metadata[key] = tokenizer[key] }
    return metadata
  }

  /// The files that stand beside the tensors in a Hugging Face folder, by name.
  public func huggingFaceFiles() throws -> [String: [UInt8]] {
    if naming == .huggingFace {
      var files: [String: [UInt8]] = [:]
      for name in Self.companionNames {
        if let text = try checkpoint.text(name) { files[name] = Array(text.utf8) }
      }
      if let config = try textConfig() { files["config.json"] = bytes(config) }
      if let config = files["config.json"], var object = try JSONValue.parse(config).object {
        // How the source's weights were quantized is no part of the model.
        let count = object.count
        for key in Self.quantizationKeys { object[key] = nil }
        if object.count < count { files["config.json"] = bytes(.object(object)) }
      }
      let folder = TokenizerFolder(checkpoint.path)
      for name in TokenizerFolder.fileNames { files[name] = try folder.bytes(name) }
      return files
    }
    let definition = try tokenizerDefinition()
    let (tokenizer, tokenizerConfig) = try definition.huggingFaceFiles()
    let family = try requireFamily()
    let configJSON = family.config.huggingFaceJSON(
      family.architecture, beginTokenID: definition.beginTokenID,
      endTokenIDs: definition.endTokenIDs, padTokenID: definition.padTokenID)
    return [
      "config.json": bytes(configJSON),
      "tokenizer.json": Array(tokenizer.text(.indented(2)).utf8),
      "tokenizer_config.json": bytes(tokenizerConfig),
    ]
  }

  /// The configuration of the text model within a wrapper's, whose other parts are left out; nil without a wrapper.
  private func textConfig() throws -> JSONValue? {
    guard let family, var config = try checkpoint.json("config.json")?["text_config"]?.object else {
      return nil
    }
    config["architectures"] = [.string(family.architecture.classNames[0])]
    config["model_type"] = .string(family.architecture.modelTypes[0])
    config["tie_word_embeddings"] = .bool(family.config.hasTiedEmbeddings)
    return .object(config)
  }

  private func bytes(_ json: JSONValue) -> [UInt8] { Array((json.text(.indented(2)) + "\n").utf8) }

  private static let quantizationKeys = [
    "quantization_config", "quantization", "compression_config",
  ]

  private static let companionNames = ["config.json", "generation_config.json"]
}
