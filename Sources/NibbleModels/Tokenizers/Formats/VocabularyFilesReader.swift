internal import NibbleCheckpoints

extension TokenizerDefinition {
  /// Reads a folder whose tokenizer is `vocab.json` and `merges.txt`: byte-level, as GPT-2's and the first Qwen2 files.
  ///
  /// The files do not say how text is cut; that goes by `tokenizer_class`, where Qwen2's cuts in its own way, CodeGen's
  /// and all others as GPT-2's.
  ///
  /// - Parameters:
  ///   - vocabulary: `vocab.json`: ids by spelling.
  ///   - text: `merges.txt`: a merge a line, the best first; a first line that starts with `#version` is left out.
  ///   - addedTokens: `added_tokens.json`.
  ///   - tokenizerConfig: `tokenizer_config.json`, with `special_tokens_map.json` put into it.
  ///   - modelConfig: `config.json`.
  ///   - vocabularySize: the rows of the embedding; nil takes `vocab_size` of `config.json`.
  ///   - chatTemplate: what `chat_template.jinja` holds.
  /// - Throws: ``ModelError/Code/tokenizer`` for files that contradict themselves or each other.
  init(
    vocabulary: JSONValue, merges text: String, addedTokens: JSONValue?,
    tokenizerConfig: JSONValue, modelConfig: JSONValue?, vocabularySize: Int?,
    chatTemplate: String?
  ) throws(ModelError) {
    var entries = try FolderTokens.entries(
      addedTokens: addedTokens, tokenizerConfig: tokenizerConfig)
    // Special tokens that only a role names are in the vocabulary.
    let known = Set(entries.map(\.content))
    for key in tokenizerConfig.object?.keys ?? [] where key.hasSuffix("_token") {
      let value = tokenizerConfig[key]
      guard let content = value?.string ?? value?["content"]?.string, !known.contains(content),
        let id = vocabulary[content]?.integer,
        !entries.contains(where: { $0.id == id })
      else { continue }
      entries.append(AddedToken(id: id, content: content))
    }
    if let end = vocabulary["<|endoftext|>"]?.integer, !entries.contains(where: { $0.id == end }) {
      entries.append(AddedToken(id: end, content: "<|endoftext|>"))
    }
    let isQwen = tokenizerConfig["tokenizer_class"]?.string?.hasPrefix("Qwen2") == true
    let setup = PreTokenizerName.setup(of: isQwen ? "qwen2" : "gpt-2")
    let addsSpace = tokenizerConfig["add_prefix_space"]?.bool ?? false
    let steps =
      (setup?.cuts ?? []) + [.byteLevel(addsSpace: addsSpace, splits: setup?.splits ?? true)]
    let tokenizer: JSONValue = [
      "added_tokens": .array(entries.map(\.json)),
      "normalizer": PipelineWriter.chain((setup?.normalizers ?? []).map(\.json), "normalizers"),
      "pre_tokenizer": PipelineWriter.chain(steps.map(\.json), "pretokenizers"),
      "decoder": Decoder.byteLevel.json,
      "model": ["type": "BPE", "vocab": vocabulary, "merges": .array(Self.mergeLines(text))],
    ]
    try self.init(
      tokenizerJSON: tokenizer, tokenizerConfig: tokenizerConfig, modelConfig: modelConfig,
      vocabularySize: vocabularySize, chatTemplate: chatTemplate)
  }

  private static func mergeLines(_ text: String) -> [JSONValue] {
    var lines: [JSONValue] = []
    for (number, line) in text.utf8.split(separator: 0x0A).enumerated() {
      var line = line
      if line.last == 0x0D { line.removeLast() }
      let merge = String(Substring(line))
      if merge.isEmpty || number == 0 && merge.hasPrefix("#version") { continue }
      lines.append(.string(merge))
    }
    return lines
  }
}
