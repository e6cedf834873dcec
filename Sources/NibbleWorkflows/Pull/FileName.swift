/// Rules for file names that come from a server or an archive.
enum FileName {
  /// Whether `name` is one plain path component: no separators, no control characters, neither `.`
  /// nor `..`.
  static func isSafe(_ name: String) -> Bool {
    guard !name.isEmpty, name != ".", name != "..", name.utf8.count <= 255 else { return false }
    return name.unicodeScalars.allSatisfy { scalar in
      scalar.value >= 0x20 && scalar.value != 0x7F && scalar != "/" && scalar != "\\"
    }
  }

  /// The last component of a path that uses `/`.
  static func last(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  /// Whether a file belongs to a model folder: weights, configuration, tokenizer.
  static func isModelFile(_ name: String) -> Bool {
    if name.hasSuffix(".gguf") { return true }
    return isFolderFile(name)
  }

  /// Whether a file belongs to a model folder in the Hugging Face layout.
  static func isFolderFile(_ name: String) -> Bool {
    switch name {
    case "config.json", "generation_config.json", "special_tokens_map.json", "added_tokens.json",
      "chat_template.jinja", "chat_template.json", "tokenizer.model", "vocab.json", "merges.txt":
      return true
    default: break
    }
    if name.hasSuffix(".safetensors") || name.hasSuffix(".safetensors.index.json") { return true }
    return name.hasPrefix("tokenizer") && name.hasSuffix(".json")
  }
}
