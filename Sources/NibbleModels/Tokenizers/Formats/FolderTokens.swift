internal import NibbleCheckpoints

/// The added tokens that stand beside a vocabulary in files of their own.
enum FolderTokens {
  /// The added tokens of `added_tokens.json` (ids by spelling) and `added_tokens_decoder` of `tokenizer_config.json`
  /// (descriptions by id, which win), by ascending id.
  static func entries(addedTokens: JSONValue?, tokenizerConfig: JSONValue) throws(ModelError)
    -> [AddedToken]
  {
    var entries: [Int: AddedToken] = [:]
    for text in addedTokens?.object?.keys ?? [] where !text.isEmpty {
      guard let id = addedTokens?[text]?.integer else {
        throw .tokenizer("added_tokens.json", "token \(quoted(text)) has no whole number as its id")
      }
      let special = isSpecial(text, tokenizerConfig)
      entries[id] = AddedToken(
        id: id, content: text, isSpecial: special, isNormalized: !special, isVerbatim: !special)
    }
    let decoder = tokenizerConfig["added_tokens_decoder"]
    for key in decoder?.object?.keys ?? [] {
      let name = "added_tokens_decoder.\(quoted(key))"
      guard let id = Int(key), var entry = decoder?[key]?.object else {
        throw .tokenizer(name, "not an id and a token")
      }
      entry["id"] = .integer(Int64(id))
      let token = try TokenizerDefinition.addedToken(.object(entry), key: name)
      if !token.content.isEmpty { entries[id] = token }
    }
    for (id, token) in entries where token.content.utf8.count > 1024 || id < 0 {
      throw .tokenizer("added tokens", "id \(id) is negative or its token longer than 1024 bytes")
    }
    return entries.values.sorted { $0.id < $1.id }
  }

  /// Whether the configuration names `text` in a role, or among the additional special tokens.
  private static func isSpecial(_ text: String, _ config: JSONValue) -> Bool {
    for key in config.object?.keys ?? [] where key.hasSuffix("_token") {
      if (config[key]?.string ?? config[key]?["content"]?.string) == text { return true }
    }
    let more = config["additional_special_tokens"]?.array ?? []
    return more.contains { ($0.string ?? $0["content"]?.string) == text }
  }
}
