/// A tokenizer as data: what `tokenizer.json` and the `tokenizer.*` keys of a GGUF file both describe.
///
/// Values are valid by construction: every id is inside the vocabulary, every merge names tokens that exist, no
/// two tokens in use are spelled alike.
public struct TokenizerDefinition: Sendable {
  /// The character that stands for a space in SentencePiece vocabularies, U+2581.
  static let spaceMark = "\u{2581}"

  /// The spelling of each token, by id.
  var tokens: [String] = []
  var kinds: [TokenKind] = []
  /// The scores of a SentencePiece vocabulary as its file gives them; empty elsewhere.
  var scores: [Float] = []
  var merges: [Merge] = []
  /// Which merge goes first, lower first; empty means their order.
  var mergePriorities: [UInt32] = []
  /// The scores of a Unigram model, which has no merges; nil for byte-pair models.
  var unigram: Unigram?
  var addedTokens: [AddedToken] = []

  var normalizers: [Normalizer] = []
  var preTokenizers: [PreTokenizer] = []
  var decoders: [Decoder] = []
  /// Tokens in front of every text.
  var prefixTokenIDs: [Int] = []
  /// Tokens behind every text.
  var suffixTokenIDs: [Int] = []
  /// Whether text that cannot be spelled becomes ``unknownTokenID``; it vanishes otherwise.
  var emitsUnknown = false
  var fusesUnknown = false
  var fallsBackToBytes = false
  var ignoresMerges = false
  /// Chat templates other than the default one, by name.
  var namedChatTemplates: [(name: String, template: String)] = []

  /// The rows that the model's embedding has, where the file says it; at least the number of tokens.
  public internal(set) var vocabularySize = 0
  /// The default chat template, a Jinja text.
  public var chatTemplate: String?
  /// The spelling of special tokens by role: `bos_token`, `eos_token`, `unk_token`, `pad_token`, …
  public internal(set) var specialTokens: [String: String] = [:]
  /// The token that begins a text.
  public internal(set) var beginTokenID: Int?
  /// All tokens that end an answer: end of text, of turn, of message. The first is the end of text.
  public var endTokenIDs: [Int] = []
  /// The token that fills up batches.
  public internal(set) var padTokenID: Int?
  /// The token for text that the vocabulary cannot spell; byte-level tokenizers name one but never need it.
  public internal(set) var unknownTokenID: Int?

  /// Whether the tokenizer puts the begin token in front of a text.
  public var addsBeginToken: Bool { beginTokenID.map { prefixTokenIDs.first == $0 } ?? false }
  /// Whether the tokenizer puts an end token behind a text.
  public var addsEndToken: Bool { !suffixTokenIDs.isEmpty }

  /// Whether tokens spell bytes in the byte-level alphabet.
  var isByteLevel: Bool {
    if case .byteLevel = preTokenizers.last { true } else { false }
  }

  /// What a Unigram model is made of, beside its tokens.
  struct Unigram: Sendable {
    /// The score of each token, by id; tokens beyond the end are added ones.
    var scores: [Double]
    /// Whether sums are kept in single precision, as SentencePiece does, rather than in double.
    var sumsInSinglePrecision = false
  }

  init() {}

  /// The spelling of a token; nil for an id outside the vocabulary.
  public func text(of token: Int) -> String? {
    tokens.indices.contains(token) ? tokens[token] : nil
  }
}

extension TokenizerDefinition {
  /// Spellings that end a turn in well-known models, whether or not the file says so.
  private static let knownEnds: Set<String> = [
    "<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<end_of_turn>",
    "<|end_of_text|>", "<|endofturn|>",
  ]

  /// Appends the tokens whose spelling is known to end a turn to ``endTokenIDs``.
  mutating func addKnownEnds() {
    for token in addedTokens where token.isSpecial && Self.knownEnds.contains(token.content) {
      if !endTokenIDs.contains(token.id) { endTokenIDs.append(token.id) }
    }
  }

  /// Fills gaps in the vocabulary: ids that no token has.
  static func placeholder(_ id: Int) -> String { "[PAD\(id)]" }

  /// More spaces than any text begins with.
  static let allSpaces = 1 << 30

  /// The largest vocabulary that is believed, tokens or embedding rows.
  static let largestVocabulary = 1 << 22
}
