public import NibbleCheckpoints

extension TokenizerDefinition {
  /// The files of a Hugging Face folder: `tokenizer.json` and `tokenizer_config.json`.
  ///
  /// Gaps inside the vocabulary are filled with `[PAD<id>]`, so that readers that number added tokens by the size of
  /// the vocabulary come to the same ids; those at its end are left out.
  public func huggingFaceFiles() throws(ModelError)
    -> (tokenizer: JSONValue, tokenizerConfig: JSONValue)
  {
    let added = addedTokens.sorted { $0.id < $1.id }
    var isAdded = [Bool](repeating: false, count: tokens.count)
    for token in added { isAdded[token.id] = true }
    let count = (kinds.lastIndex { $0 != .unused } ?? -1) + 1
    // Added tokens at the end, without a gap between them, may stay out of the model's own vocabulary.
    var modelCount = count
    var isNeeded = tokensInMerges()
    if unigram != nil, let unknownTokenID { isNeeded[unknownTokenID] = true }
    while modelCount > 0, isAdded[modelCount - 1], !isNeeded[modelCount - 1] { modelCount -= 1 }
    let model =
      unigram.map { unigramJSON($0, count: modelCount) } ?? bytePairJSON(count: modelCount)
    let tokenizer: JSONValue = [
      "version": "1.0", "truncation": nil, "padding": nil,
      "added_tokens": .array(added.map(\.json)),
      "normalizer": PipelineWriter.chain(normalizers.map(\.json), "normalizers"),
      "pre_tokenizer": PipelineWriter.chain(preTokenizers.map(\.json), "pretokenizers"),
      "post_processor": postProcessor(),
      "decoder": PipelineWriter.chain(decoders.map(\.json), "decoders"),
      "model": model,
    ]
    return (tokenizer, tokenizerConfig(added))
  }

  /// The byte-pair model as `tokenizer.json` has it, for the first `count` tokens.
  private func bytePairJSON(count: Int) -> JSONValue {
    var vocabulary = JSONObject()
    for id in 0..<count { vocabulary[tokens[id]] = .integer(Int64(id)) }
    return [
      "type": "BPE", "dropout": nil,
      "unk_token": emitsUnknown ? unknownTokenID.map { .string(tokens[$0]) } ?? nil : nil,
      "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
      "fuse_unk": .bool(fusesUnknown), "byte_fallback": .bool(fallsBackToBytes),
      "ignore_merges": .bool(ignoresMerges), "vocab": .object(vocabulary),
      "merges": .array(
        merges.map { .array([.string(tokens[Int($0.left)]), .string(tokens[Int($0.right)])]) }),
    ]
  }

  /// Which tokens merges make or use, so that the model's vocabulary must hold them.
  private func tokensInMerges() -> [Bool] {
    var result = [Bool](repeating: false, count: tokens.count)
    for merge in merges {
      for id in [merge.left, merge.right, merge.result] { result[Int(id)] = true }
    }
    return result
  }

  private func postProcessor() -> JSONValue {
    guard !prefixTokenIDs.isEmpty || !suffixTokenIDs.isEmpty else { return nil }
    let sequence: JSONValue = ["Sequence": ["id": "A", "type_id": 0]]
    let second: JSONValue = ["Sequence": ["id": "B", "type_id": 1]]
    func pieces(_ ids: [Int], _ type: Int64) -> [JSONValue] {
      ids.map { ["SpecialToken": ["id": .string(tokens[$0]), "type_id": .integer(type)]] }
    }
    var specials = JSONObject()
    for id in prefixTokenIDs + suffixTokenIDs {
      specials[tokens[id]] = [
        "id": .string(tokens[id]), "ids": [.integer(Int64(id))], "tokens": [.string(tokens[id])],
      ]
    }
    let single = pieces(prefixTokenIDs, 0) + [sequence] + pieces(suffixTokenIDs, 0)
    let other = pieces(prefixTokenIDs, 1) + [second] + pieces(suffixTokenIDs, 1)
    return [
      "type": "TemplateProcessing", "single": .array(single), "pair": .array(single + other),
      "special_tokens": .object(specials),
    ]
  }

  private func tokenizerConfig(_ added: [AddedToken]) -> JSONValue {
    var config = JSONObject()
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config["add_bos_token"] = .bool(addsBeginToken)
    config["add_eos_token"] = .bool(addsEndToken)
    for key in specialTokens.keys.sorted() {
      config[key] = specialTokens[key].map { .string($0) }
    }
    config["clean_up_tokenization_spaces"] = false
    var decoder = JSONObject()
    for token in added {
      var members = token.json.object ?? JSONObject()
      members["id"] = nil
      decoder["\(token.id)"] = .object(members)
    }
    config["added_tokens_decoder"] = .object(decoder)
    if namedChatTemplates.isEmpty {
      config["chat_template"] = chatTemplate.map { .string($0) }
    } else {
      let standard = chatTemplate.map { [(name: "default", template: $0)] } ?? []
      config["chat_template"] = .array(
        (standard + namedChatTemplates).map {
          ["name": .string($0.name), "template": .string($0.template)]
        })
    }
    return .object(config)
  }
}
