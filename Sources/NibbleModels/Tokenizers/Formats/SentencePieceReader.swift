internal import NibbleCheckpoints

extension TokenizerDefinition {
  /// Reads a folder whose tokenizer is a SentencePiece model file.
  ///
  /// - Parameters:
  ///   - bytes: the bytes of `tokenizer.model` or `spiece.model`.
  ///   - addedTokens: `added_tokens.json`: ids by spelling.
  ///   - tokenizerConfig: `tokenizer_config.json`, with `special_tokens_map.json` put into it.
  ///   - modelConfig: `config.json`.
  ///   - vocabularySize: the rows of the embedding; nil takes `vocab_size` of `config.json`.
  ///   - chatTemplate: what `chat_template.jinja` holds.
  /// - Throws: ``ModelError/Code/tokenizer`` for a file that contradicts itself, ``ModelError/Code/unsupported`` for a
  ///   kind of model that Nibble does not have.
  init(
    sentencePiece bytes: [UInt8], addedTokens: JSONValue?, tokenizerConfig: JSONValue,
    modelConfig: JSONValue?, vocabularySize: Int?, chatTemplate: String?
  ) throws(ModelError) {
    let file = try SentencePieceFile(bytes)
    let tokenizerConfig = Self.withRoles(of: file, tokenizerConfig)
    var builder = VocabularyBuilder(count: file.pieces.count)
    for (id, piece) in file.pieces.enumerated() {
      try builder.add(piece.text, id, key: "pieces[\(id)]")
      scores.append(piece.score)
      kinds.append(piece.kind)
    }
    try addPieces(file)
    try addTokens(
      FolderTokens.entries(addedTokens: addedTokens, tokenizerConfig: tokenizerConfig), &builder)
    tokens = builder.tokens.enumerated().map { $1 ?? Self.placeholder($0) }
    scores += [Float](repeating: 0, count: tokens.count - scores.count)
    try setUpModel(file)
    setUpSteps(file, isLegacy: tokenizerConfig["legacy"]?.bool ?? true)
    try setUpEnds(tokenizerConfig, builder.index)
    try readSize(vocabularySize, modelConfig)
    try readRoles(tokenizerConfig, modelConfig ?? .null, builder.index)
    readTemplates(tokenizerConfig, chatTemplate)
  }

  /// The configuration, with the roles that only the file knows.
  private static func withRoles(of file: SentencePieceFile, _ config: JSONValue) -> JSONValue {
    var members = config.object ?? JSONObject()
    for (role, id) in [("bos_token", file.beginID), ("eos_token", file.endID)] {
      guard members[role] == nil, file.pieces.indices.contains(id) else { continue }
      let piece = file.pieces[id]
      if piece.kind == .control { members[role] = .string(piece.text) }
    }
    return .object(members)
  }

  private mutating func addPieces(_ file: SentencePieceFile) throws(ModelError) {
    for (id, piece) in file.pieces.enumerated() where !piece.text.isEmpty {
      switch piece.kind {
      case .unknown:
        guard unknownTokenID == nil else {
          throw .tokenizer("pieces[\(id)]", "a second unknown token")
        }
        unknownTokenID = id
        addedTokens.append(AddedToken(id: id, content: piece.text))
      case .control: addedTokens.append(AddedToken(id: id, content: piece.text))
      case .userDefined:
        // Found in normalized text, spelled as they are.
        addedTokens.append(
          AddedToken(
            id: id, content: piece.text, isSpecial: false, isNormalized: true, isVerbatim: true))
      case .byte:
        guard TokenKind.byte(ofTokenText: piece.text) != nil else {
          throw .tokenizer("pieces[\(id)]", "not a byte: \(quoted(piece.text))")
        }
      case .normal, .unused: break
      }
    }
    for token in addedTokens where token.content.utf8.count > 1024 {
      throw .tokenizer("pieces[\(token.id)]", "a special token longer than 1024 bytes")
    }
  }

  private mutating func addTokens(_ entries: [AddedToken], _ builder: inout VocabularyBuilder)
    throws(ModelError)
  {
    for token in entries {
      try builder.add(token.content, token.id, key: "added tokens")
      while kinds.count < builder.tokens.count { kinds.append(.unused) }
      addedTokens.removeAll { $0.id == token.id }
      addedTokens.append(token)
      if kinds[token.id] != .unknown { kinds[token.id] = token.isSpecial ? .control : .userDefined }
    }
  }

  private mutating func setUpModel(_ file: SentencePieceFile) throws(ModelError) {
    guard !file.marksSpaceBehind else {
      throw ModelError(.unsupported, "trainer_spec.treat_whitespace_as_suffix is not supported")
    }
    fallsBackToBytes = file.fallsBackToBytes
    fusesUnknown = true
    emitsUnknown = unknownTokenID != nil
    let kinds = kinds
    switch file.model {
    case .bytePair:
      (merges, mergePriorities) = ScoreMerges.merges(
        tokens, scores: scores, isPart: { kinds[$0] == .normal || kinds[$0] == .userDefined })
    case .unigram:
      unigram = Unigram(scores: scores.map { Double($0) }, sumsInSinglePrecision: true)
      scores = []
    case .word, .character:
      throw ModelError(.unsupported, "trainer_spec.model_type: \(file.model) is not supported")
    }
  }

  /// The steps between text and pieces, in the order in which SentencePiece takes them.
  private mutating func setUpSteps(_ file: SentencePieceFile, isLegacy: Bool) {
    if !file.characterMap.isEmpty {
      normalizers.append(.characterMap(file.characterMap, byGraphemes: false))
    }
    if file.removesExtraSpaces { normalizers.append(.removingExtraSpaces) }
    decoders = [.replace(.literal(Self.spaceMark), with: " "), .byteFallback, .fuse]
    if file.addsSpace || file.removesExtraSpaces {
      let count = file.removesExtraSpaces ? Self.allSpaces : 1
      decoders.append(.strip(character: " ", start: count, stop: 0))
    }
    // Files that are not "legacy" put the space in front of the whole text only, not behind special tokens.
    if file.addsSpace, file.escapesSpaces, !isLegacy {
      preTokenizers = [.metaspace(replacement: Self.spaceMark, .first, splits: false)]
      return
    }
    let mark = file.escapesSpaces ? Self.spaceMark : " "
    if file.addsSpace { normalizers.append(.prepend(mark)) }
    if file.escapesSpaces { normalizers.append(.replace(.literal(" "), with: Self.spaceMark)) }
  }

  /// Which tokens stand around a text where the configuration does not say: a begin token, or for T5 an end token.
  private mutating func setUpEnds(_ config: JSONValue, _ index: TokenIndex) throws(ModelError) {
    func id(_ role: String) -> Int? {
      let value = config["\(role)_token"]
      return (value?.string ?? value?["content"]?.string).flatMap(index.find).map { Int($0) }
    }
    if config["tokenizer_class"]?.string?.hasPrefix("T5") == true {
      if let end = id("eos") { suffixTokenIDs = [end] }
    } else if let begin = id("bos") {
      prefixTokenIDs = [begin]
    }
  }
}
