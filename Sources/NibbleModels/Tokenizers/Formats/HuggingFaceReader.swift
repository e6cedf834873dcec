public import NibbleCheckpoints

extension TokenizerDefinition {
  /// Reads the files of a Hugging Face folder.
  ///
  /// - Parameters:
  ///   - tokenizerJSON: `tokenizer.json`.
  ///   - tokenizerConfig: `tokenizer_config.json`: special tokens by role, `add_bos_token`, the chat template.
  ///   - modelConfig: `config.json`: ids of special tokens where the tokenizer's files do not name them.
  ///   - vocabularySize: the rows of the embedding; nil takes `vocab_size` of `config.json`.
  ///   - chatTemplate: what `chat_template.jinja` holds; it wins over the template in `tokenizer_config.json`.
  /// - Throws: ``ModelError/Code/tokenizer`` for a file that contradicts itself, ``ModelError/Code/unsupported`` for a
  ///   kind of tokenizer that Nibble does not have; both name the key.
  public init(
    tokenizerJSON: JSONValue, tokenizerConfig: JSONValue?, modelConfig: JSONValue?,
    vocabularySize: Int?, chatTemplate: String?
  ) throws(ModelError) {
    guard let model = tokenizerJSON["model"], model.object != nil else {
      throw .tokenizer("model", "not an object")
    }
    // Files from before the type was written are byte-pair models where they have merges.
    let type =
      model["type"]?.string
      ?? (model["merges"] != nil ? "BPE" : model["unk_id"] != nil ? "Unigram" : "unknown")
    let index: TokenIndex
    switch type {
    case "BPE":
      index = try readVocabulary(model, tokenizerJSON["added_tokens"])
      try readMerges(model, index)
    case "Unigram": index = try readUnigram(model, tokenizerJSON["added_tokens"])
    default: throw ModelError(.unsupported, "model.type: \(quoted(type)) is not supported")
    }
    normalizers = try PipelineReader.normalizers(tokenizerJSON["normalizer"])
    preTokenizers = try PipelineReader.preTokenizers(tokenizerJSON["pre_tokenizer"])
    decoders = try PipelineReader.decoders(tokenizerJSON["decoder"])
    var template = TemplateReader(index: index, tokenCount: tokens.count)
    try template.read(tokenizerJSON["post_processor"])
    (prefixTokenIDs, suffixTokenIDs) = (template.prefix, template.suffix)
    markKinds()
    try readSize(vocabularySize, modelConfig)
    try readRoles(tokenizerConfig ?? .null, modelConfig ?? .null, index)
    readTemplates(tokenizerConfig ?? .null, chatTemplate)
  }

  private mutating func readVocabulary(_ model: JSONValue, _ added: JSONValue?)
    throws(ModelError) -> TokenIndex
  {
    guard let vocabulary = model["vocab"]?.object else {
      throw .tokenizer("model.vocab", "not an object")
    }
    let addedEntries = try Self.entries(added)
    var builder = VocabularyBuilder(count: vocabulary.count + addedEntries.count)
    for text in vocabulary.keys {
      guard let id = vocabulary[text]?.integer else {
        throw .tokenizer("model.vocab", "token \(quoted(text)) has no whole number as its id")
      }
      try builder.add(text, id, key: "model.vocab")
    }
    return try finishVocabulary(&builder, addedEntries)
  }

  /// The members of `added_tokens`; none where it is absent.
  static func entries(_ added: JSONValue?) throws(ModelError) -> [JSONValue] {
    guard let added, !added.isNull else { return [] }
    guard let entries = added.array else { throw .tokenizer("added_tokens", "not an array") }
    return entries
  }

  /// Adds the added tokens to the model's own and fills gaps.
  mutating func finishVocabulary(_ builder: inout VocabularyBuilder, _ addedEntries: [JSONValue])
    throws(ModelError) -> TokenIndex
  {
    var seen: Set<Int> = []
    for (place, entry) in addedEntries.enumerated() {
      let token = try Self.addedToken(entry, key: "added_tokens[\(place)]")
      guard !token.content.isEmpty else { continue }
      try builder.add(token.content, token.id, key: "added_tokens[\(place)]")
      if seen.insert(token.id).inserted { addedTokens.append(token) }
    }
    guard !builder.tokens.isEmpty else { throw .tokenizer("model.vocab", "empty") }
    kinds = builder.tokens.map { $0 == nil ? .unused : .normal }
    tokens = builder.tokens.enumerated().map { $1 ?? Self.placeholder($0) }
    return builder.index
  }

  static func addedToken(_ entry: JSONValue, key: String) throws(ModelError) -> AddedToken {
    guard let content = entry["content"]?.string else {
      throw .tokenizer("\(key).content", "not a text")
    }
    guard let id = entry["id"]?.integer else {
      throw .tokenizer("\(key).id", "not a whole number")
    }
    guard content.utf8.count <= 1024 else {
      throw .tokenizer("\(key).content", "longer than 1024 bytes")
    }
    var token = AddedToken(id: id, content: content)
    for (name, path, missing) in [
      ("special", \AddedToken.isSpecial, false), ("lstrip", \.stripsLeft, false),
      ("rstrip", \.stripsRight, false), ("single_word", \.isSingleWord, false),
      ("normalized", \.isNormalized, true),
    ] {
      let value = entry[name] ?? .bool(missing)
      guard let flag = value.bool else { throw .tokenizer("\(key).\(name)", "not true or false") }
      token[keyPath: path] = flag
    }
    return token
  }

  private mutating func readMerges(_ model: JSONValue, _ index: TokenIndex) throws(ModelError) {
    for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let text = model[name]?.string, !text.isEmpty {
        throw ModelError(.unsupported, "model.\(name): \(quoted(text)) is not supported")
      }
    }
    if let dropout = model["dropout"]?.number, dropout > 0 {
      throw ModelError(.unsupported, "model.dropout: random merges are not supported")
    }
    fusesUnknown = model["fuse_unk"]?.bool ?? false
    fallsBackToBytes = model["byte_fallback"]?.bool ?? false
    ignoresMerges = model["ignore_merges"]?.bool ?? false
    if let text = model["unk_token"]?.string, !text.isEmpty {
      guard let id = index.find(text) else {
        throw .tokenizer("model.unk_token", "unknown token \(quoted(text))")
      }
      unknownTokenID = Int(id)
      emitsUnknown = true
    }
    guard let entries = model["merges"]?.array else {
      throw .tokenizer("model.merges", "not an array")
    }
    var reader = MergeReader(index, count: entries.count, key: "model.merges")
    for (rank, entry) in entries.enumerated() {
      if case .string(let text) = entry {
        try reader.add(text)
        continue
      }
      guard case .array(let parts) = entry, parts.count == 2, let left = parts[0].string,
        let right = parts[1].string
      else { throw .tokenizer("model.merges[\(rank)]", "a merge needs two tokens") }
      try reader.add(left, right)
    }
    merges = reader.merges
  }

  private mutating func markKinds() {
    if fallsBackToBytes {
      for id in tokens.indices where TokenKind.byte(ofTokenText: tokens[id]) != nil {
        kinds[id] = .byte
      }
    }
    for token in addedTokens { kinds[token.id] = token.isSpecial ? .control : .userDefined }
    if emitsUnknown, let unknownTokenID, !isByteLevel { kinds[unknownTokenID] = .unknown }
  }

  mutating func readSize(_ size: Int?, _ config: JSONValue?) throws(ModelError) {
    let named = config?["vocab_size"] ?? config?["text_config"]?["vocab_size"]
    let size = size ?? named?.integer ?? tokens.count
    guard size >= 0, size <= Self.largestVocabulary else {
      throw .tokenizer("vocab_size", "\(size) is out of range")
    }
    vocabularySize = max(size, tokens.count)
  }
}
