public import NibbleCheckpoints

extension TokenizerDefinition {
  /// The `tokenizer.*` keys of a GGUF file, with the spelling and types of llama.cpp's converter.
  ///
  /// A SentencePiece-style tokenizer gets real scores, minus the rank of the first merge that makes a token. Where
  /// merging by score would not do what its merges do, the merges are written too; other readers ignore them.
  ///
  /// - Throws: ``ModelError/Code/unsupported`` for steps that GGUF cannot express.
  public func metadata() throws(ModelError) -> Metadata {
    var metadata = Metadata()
    let isPadded = vocabularySize - tokens.count
    var tokens = writtenTokens()
    tokens += (0..<isPadded).map { Self.placeholder(self.tokens.count + $0) }
    let types = kinds.map(\.rawValue)
    let padding = [Int32](repeating: TokenKind.unused.rawValue, count: isPadded)
    if let unigram {
      metadata["tokenizer.ggml.tokens"] = .strings(tokens)
      metadata["tokenizer.ggml.token_type"] = .int32s(types + padding)
      try writeUnigram(unigram, padding: isPadded, to: &metadata)
    } else if isByteLevel {
      let pre = try PreTokenizerName.name(of: self)
      metadata["tokenizer.ggml.model"] = .string("gpt2")
      metadata["tokenizer.ggml.pre"] = .string(pre)
      metadata["tokenizer.ggml.tokens"] = .strings(tokens)
      metadata["tokenizer.ggml.token_type"] = .int32s(types + padding)
      metadata["tokenizer.ggml.merges"] = .strings(writtenMerges())
      metadata["tokenizer.ggml.add_space_prefix"] = .bool(false)
    } else {
      let addsSpace = try checkedSentencePieceSpace()
      metadata["tokenizer.ggml.model"] = .string("llama")
      metadata["tokenizer.ggml.pre"] = .string("default")
      metadata["tokenizer.ggml.tokens"] = .strings(tokens)
      let scores = writtenScores()
      metadata["tokenizer.ggml.scores"] = .float32s(
        scores.values + [Float](repeating: -10_000, count: isPadded))
      metadata["tokenizer.ggml.token_type"] = .int32s(types + padding)
      if !scores.areEnough { metadata["tokenizer.ggml.merges"] = .strings(writtenMerges()) }
      metadata["tokenizer.ggml.add_space_prefix"] = .bool(addsSpace)
    }
    writeRoles(&metadata)
    return metadata
  }

  private func writeRoles(_ metadata: inout Metadata) {
    func write(_ key: String, _ id: Int?) {
      if let id { metadata["tokenizer.ggml.\(key)"] = .uint32(UInt32(id)) }
    }
    write("bos_token_id", beginTokenID)
    write("eos_token_id", endTokenIDs.first)
    let turnEnds: Set<String> = ["<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>"]
    write("eot_token_id", endTokenIDs.dropFirst().first { turnEnds.contains(tokens[$0]) })
    write("eom_token_id", endTokenIDs.dropFirst().first { tokens[$0] == "<|eom_id|>" })
    write("unknown_token_id", unknownTokenID)
    for (role, key) in [("sep_token", "seperator_token_id"), ("mask_token", "mask_token_id")] {
      if let text = specialTokens[role] {
        write(key, addedTokens.first { $0.content == text }?.id)
      }
    }
    write("padding_token_id", padTokenID)
    metadata["tokenizer.ggml.add_bos_token"] = .bool(addsBeginToken)
    metadata["tokenizer.ggml.add_eos_token"] = .bool(addsEndToken)
    if let chatTemplate { metadata["tokenizer.chat_template"] = .string(chatTemplate) }
    if !namedChatTemplates.isEmpty {
      metadata["tokenizer.chat_templates"] = .strings(namedChatTemplates.map(\.name))
      for (name, template) in namedChatTemplates {
        metadata["tokenizer.chat_template.\(name)"] = .string(template)
      }
    }
  }

  /// Added tokens of byte-level files are plain text, where `▁` is a space.
  private func writtenTokens() -> [String] {
    guard isByteLevel else { return tokens }
    var tokens = tokens
    for token in addedTokens where !token.isSpecial && token.content.contains(Self.spaceMark) {
      tokens[token.id] = token.content.replacing(Self.spaceMark, with: " ")
    }
    return tokens
  }

  private func writtenMerges() -> [String] {
    func part(_ id: Int32) -> String {
      let text = tokens[Int(id)]
      return text.utf8.contains(0x20) ? text.replacing(" ", with: "\u{120}") : text
    }
    return merges.map { "\(part($0.left)) \(part($0.right))" }
  }

  private func writtenScores() -> (values: [Float], areEnough: Bool) {
    if !scores.isEmpty, !mergePriorities.isEmpty { return (scores, true) }
    let scores = ScoreMerges.scores(tokens.count, merges: merges)
    let scored = ScoreMerges.merges(
      tokens, scores: scores, isPart: { kinds[$0] == .normal || kinds[$0] == .userDefined })
    return (scores, ScoreMerges.areEquivalent(merges, scored.merges, scores: scores))
  }

  /// Whether a space is put in front of the text, where the steps are those of a SentencePiece tokenizer.
  private func checkedSentencePieceSpace() throws(ModelError) -> Bool {
    let replaces = Normalizer.replace(.literal(" "), with: Self.spaceMark)
    var steps = preTokenizers
    // Without a space left in the text, cutting at spaces does nothing.
    if normalizers.contains(replaces) {
      steps.removeAll { if case .split(.literal(" "), _, _) = $0 { true } else { false } }
    }
    if steps.isEmpty, fallsBackToBytes {
      if normalizers == [replaces] { return false }
      if normalizers == [.prepend(Self.spaceMark), replaces] { return true }
    }
    if normalizers.isEmpty, fallsBackToBytes, steps.count == 1,
      case .metaspace(Self.spaceMark, let prepending, splits: false) = steps[0]
    {
      return prepending != .never
    }
    throw .unsupportedInGGUF(self)
  }
}

extension ModelError {
  /// The error of a tokenizer whose steps no GGUF key can name.
  static func unsupportedInGGUF(_ definition: TokenizerDefinition) -> ModelError {
    let steps: JSONValue = [
      "normalizer": PipelineWriter.chain(definition.normalizers.map(\.json), "normalizers"),
      "pre_tokenizer": PipelineWriter.chain(definition.preTokenizers.map(\.json), "pretokenizers"),
      "ignore_merges": .bool(definition.ignoresMerges),
    ]
    return ModelError(
      .unsupported, "GGUF has no name for this tokenizer's steps: \(steps.text(.spaced))")
  }
}
