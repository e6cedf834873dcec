/// The way from text to tokens: added tokens, normalizers, pre-tokenizers, model.
struct TokenEncoder: Sendable {
  private let rawMatcher: AddedTokenMatcher
  private let normalizedMatcher: AddedTokenMatcher
  private let normalizers: NormalizerChain
  private let preTokenizers: PreTokenizerChain
  private let model: TokenModel
  /// Where a text may be cut into short pieces without changing a token; nil where nothing is known.
  private let wordCuts: WordCuts?

  init(_ definition: TokenizerDefinition) throws(ModelError) {
    let normalizers = try NormalizerChain(definition.normalizers)
    self.normalizers = normalizers
    preTokenizers = try PreTokenizerChain(definition.preTokenizers)
    model = TokenModel(definition)
    wordCuts = WordCuts(definition)
    rawMatcher = AddedTokenMatcher(definition.addedTokens.filter { !$0.isNormalized })
    normalizedMatcher = AddedTokenMatcher(
      definition.addedTokens.filter(\.isNormalized), normalize: { normalizers.apply($0) })
  }

  /// Appends the tokens of valid UTF-8.
  func encode(_ bytes: [UInt8], parsesSpecial: Bool, into tokens: inout [Int]) {
    guard !bytes.isEmpty else { return }
    var state = State()
    for segment in rawMatcher.split(bytes.span, includesSpecial: parsesSpecial) {
      if let token = segment.token {
        tokens.append(token)
        continue
      }
      let isAtStart = segment.range.lowerBound == 0
      if normalizers.isEmpty, normalizedMatcher.isEmpty {
        let isWhole = segment.range.count == bytes.count
        encodeText(isWhole ? bytes : Array(bytes[segment.range]), isAtStart, &state, &tokens)
        continue
      }
      let text = normalizers.apply(Array(bytes[segment.range]))
      for part in normalizedMatcher.split(text.span, includesSpecial: parsesSpecial) {
        if let token = part.token {
          tokens.append(token)
        } else {
          let isFirst = isAtStart && part.range.lowerBound == 0
          encodeText(Array(text[part.range]), isFirst, &state, &tokens)
        }
      }
    }
  }

  private struct State {
    var scratch = TokenModel.Scratch()
    var cache = WordCache()
  }

  private func encodeText(
    _ bytes: [UInt8], _ isAtStart: Bool, _ state: inout State, _ tokens: inout [Int]
  ) {
    guard !bytes.isEmpty else { return }
    var text = CutText(bytes: bytes, pieces: [0..<bytes.count], isAtStart: isAtStart)
    preTokenizers.apply(&text)
    if let wordCuts { text.cut(at: wordCuts) }
    let span = text.bytes.span
    for piece in text.pieces {
      guard piece.count <= WordCache.longestPiece else {
        model.encode(span, piece, with: &state.scratch, into: &tokens)
        continue
      }
      let hash = span.hash(piece)
      if state.cache.append(span, piece, hash: hash, to: &tokens) { continue }
      let start = tokens.count
      model.encode(span, piece, with: &state.scratch, into: &tokens)
      state.cache.insert(span, piece, hash: hash, tokens: tokens[start...])
    }
  }
}
