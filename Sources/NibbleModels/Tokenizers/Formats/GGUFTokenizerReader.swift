public import NibbleCheckpoints

extension TokenizerDefinition {
  /// Reads the `tokenizer.*` keys of a GGUF file.
  ///
  /// - Throws: ``ModelError/Code/tokenizer`` or ``ModelError/Code/missing`` for keys that contradict each other or are
  ///   absent, ``ModelError/Code/unsupported`` for a kind of tokenizer that Nibble does not have; all name the key.
  public init(metadata: Metadata) throws(ModelError) {
    let reader = TokenizerKeys(metadata)
    let model = try reader.requiredText("model")
    let index = try readTokens(reader)
    switch model {
    case "gpt2": try setUpByteLevel(reader, index)
    case "llama": try setUpSentencePiece(reader, index)
    case "t5": try setUpUnigram(reader)
    case "gemma4": try setUpMarkedBytePairs(reader, index)
    default:
      throw ModelError(
        .unsupported, "tokenizer.ggml.model: \(quoted(model)) is not supported")
    }
    try readRoles(reader, model)
    vocabularySize = tokens.count
    chatTemplate = metadata["tokenizer.chat_template"]?.string
    for name in metadata["tokenizer.chat_templates"]?.strings ?? [] {
      if let template = metadata["tokenizer.chat_template.\(name)"]?.string {
        namedChatTemplates.append((name, template))
      }
    }
  }

  private mutating func readTokens(_ reader: TokenizerKeys) throws(ModelError) -> TokenIndex {
    guard let tokens = try reader.texts("tokens") else { throw reader.missing("tokens") }
    guard !tokens.isEmpty, tokens.count <= Self.largestVocabulary else {
      throw reader.fault("tokens", "\(tokens.count) tokens")
    }
    self.tokens = tokens
    kinds = [TokenKind](repeating: .normal, count: tokens.count)
    if let types = try reader.integers("token_type") {
      guard types.count == tokens.count else {
        throw reader.fault("token_type", "\(types.count) entries for \(tokens.count) tokens")
      }
      for (id, type) in types.enumerated() {
        guard let kind = Int32(exactly: type).flatMap(TokenKind.init(rawValue:)) else {
          throw reader.fault("token_type[\(id)]", "unknown type \(type)")
        }
        kinds[id] = kind
      }
    }
    var index = TokenIndex(minimumCapacity: tokens.count)
    for (id, text) in tokens.enumerated() where kinds[id] != .unused && !text.isEmpty {
      if let other = index.insert(Array(text.utf8), Int32(id)) {
        throw reader.fault("tokens[\(id)]", "token \(quoted(text)) is there already, as \(other)")
      }
      if kinds[id] == .control || kinds[id] == .userDefined || kinds[id] == .unknown {
        guard text.utf8.count <= 1024 else {
          throw reader.fault("tokens[\(id)]", "a special token longer than 1024 bytes")
        }
        addedTokens.append(
          AddedToken(id: id, content: text, isSpecial: kinds[id] != .userDefined))
      }
    }
    return index
  }

  private mutating func setUpByteLevel(_ reader: TokenizerKeys, _ index: TokenIndex)
    throws(ModelError)
  {
    let name = try reader.text("pre") ?? "default"
    guard let setup = PreTokenizerName.setup(of: name) else {
      throw ModelError(.unsupported, "tokenizer.ggml.pre: \(quoted(name)) is not supported")
    }
    normalizers = setup.normalizers
    let addsSpace = try reader.flag("add_space_prefix") ?? false
    preTokenizers = setup.cuts + [.byteLevel(addsSpace: addsSpace, splits: setup.splits)]
    decoders = [.byteLevel]
    ignoresMerges = setup.ignoresMerges
    guard let texts = try reader.texts("merges") else { throw reader.missing("merges") }
    merges = try Self.merges(texts, index)
  }

  private mutating func setUpSentencePiece(_ reader: TokenizerKeys, _ index: TokenIndex)
    throws(ModelError)
  {
    let addsSpace = try reader.flag("add_space_prefix") ?? true
    if addsSpace { normalizers.append(.prepend(Self.spaceMark)) }
    normalizers.append(.replace(.literal(" "), with: Self.spaceMark))
    decoders = [.replace(.literal(Self.spaceMark), with: " "), .byteFallback, .fuse]
    if addsSpace { decoders.append(.strip(character: " ", start: 1, stop: 0)) }
    fusesUnknown = true
    fallsBackToBytes = true
    emitsUnknown = true
    for id in tokens.indices where kinds[id] == .byte {
      guard TokenKind.byte(ofTokenText: tokens[id]) != nil else {
        throw reader.fault("tokens[\(id)]", "not a byte: \(quoted(tokens[id]))")
      }
    }
    if let scores = try reader.numbers("scores") {
      guard scores.count == tokens.count else {
        throw reader.fault("scores", "\(scores.count) entries for \(tokens.count) tokens")
      }
      guard !scores.contains(where: \.isNaN) else { throw reader.fault("scores", "not a number") }
      self.scores = scores
    }
    // Merges beside scores are an addition of Nibble's, for tokenizers whose merges no scores can express.
    if let texts = try reader.texts("merges") {
      merges = try Self.merges(texts, index)
      return
    }
    guard !scores.isEmpty else { throw reader.missing("scores") }
    let kinds = kinds
    (merges, mergePriorities) = ScoreMerges.merges(
      tokens, scores: scores, isPart: { kinds[$0] == .normal || kinds[$0] == .userDefined })
  }

  /// Byte-pair merges over text whose spaces are marks, with byte tokens for what they cannot spell: `gemma4`.
  private mutating func setUpMarkedBytePairs(_ reader: TokenizerKeys, _ index: TokenIndex)
    throws(ModelError)
  {
    normalizers = [.replace(.literal(" "), with: Self.spaceMark)]
    preTokenizers = [.split(.regex("[^\\n]+|[\\n]+"), .isolated, inverts: false)]
    decoders = [.replace(.literal(Self.spaceMark), with: " "), .byteFallback, .fuse]
    (fusesUnknown, fallsBackToBytes, emitsUnknown) = (true, true, true)
    for id in tokens.indices where TokenKind.byte(ofTokenText: tokens[id]) != nil {
      kinds[id] = .byte
      addedTokens.removeAll { $0.id == id }
    }
    guard let texts = try reader.texts("merges") else { throw reader.missing("merges") }
    merges = try Self.merges(texts, index)
  }

  private static func merges(_ texts: [String], _ index: TokenIndex) throws(ModelError) -> [Merge] {
    var reader = MergeReader(index, count: texts.count, key: "tokenizer.ggml.merges")
    for text in texts { try reader.add(text) }
    return reader.merges
  }

  private mutating func readRoles(_ reader: TokenizerKeys, _ model: String) throws(ModelError) {
    let count = tokens.count
    // The ids of the family's first models hold where a file leaves them out.
    let missing: [String: Int] =
      switch model {
      case "llama": ["bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0]
      case "t5": ["eos_token_id": 1, "unknown_token_id": 2]
      default: [:]
      }
    func id(_ role: String) throws(ModelError) -> Int? {
      if let id = try reader.id(role, below: count) { return id }
      return reader.has(role) ? nil : missing[role].flatMap { $0 < count ? $0 : nil }
    }
    beginTokenID = try id("bos_token_id")
    if let end = try id("eos_token_id") { endTokenIDs.append(end) }
    unknownTokenID = try id("unknown_token_id")
    padTokenID = try reader.id("padding_token_id", below: count)
    name("bos_token", beginTokenID)
    name("eos_token", endTokenIDs.first)
    name("unk_token", unknownTokenID)
    name("pad_token", padTokenID)
    name("sep_token", try reader.id("seperator_token_id", below: count))
    name("mask_token", try reader.id("mask_token_id", below: count))
    for role in ["eot_token_id", "eom_token_id"] {
      if let id = try reader.id(role, below: count), !endTokenIDs.contains(id) {
        endTokenIDs.append(id)
      }
    }
    addKnownEnds()

    let setup = PreTokenizerName.setup(of: try reader.text("pre") ?? "default")
    let addsBegin =
      model == "llama" || model == "gemma4" || model == "gpt2" && setup?.addsBegin == true
    if try reader.flag("add_bos_token") ?? (addsBegin && beginTokenID != nil) {
      guard let beginTokenID else { throw reader.missing("bos_token_id") }
      prefixTokenIDs = [beginTokenID]
    }
    if try reader.flag("add_eos_token") ?? (model == "t5") {
      guard let end = endTokenIDs.first else { throw reader.missing("eos_token_id") }
      suffixTokenIDs = [end]
    }
  }
}
