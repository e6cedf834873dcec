/// One step that cuts text into pieces; no merge crosses a cut.
enum PreTokenizer: Hashable, Sendable {
  /// When Metaspace puts its character in front of the text.
  enum Prepending: String, Sendable { case always, first, never }

  /// The last step of a byte-level tokenizer: pieces become bytes.
  /// `addsSpace`: a piece that does not start with a space gets one; `splits`: cut with GPT-2's expression first.
  case byteLevel(addsSpace: Bool, splits: Bool)
  case split(TextPattern, SplitBehavior, inverts: Bool)
  case digits(individually: Bool)
  /// Spaces become `replacement`; `splits`: cut before each.
  case metaspace(replacement: String, Prepending, splits: Bool)
  /// Runs of word characters and runs of others; white space vanishes.
  case whitespace
  /// White space vanishes.
  case whitespaceSplit
  case punctuation(SplitBehavior)
}

/// Text on its way through the pre-tokenizers: bytes and the pieces that they are cut into.
struct CutText {
  var bytes: [UInt8]
  var pieces: [Range<Int>]
  /// Whether the first piece starts where the whole text starts.
  var isAtStart: Bool
}

/// A chain of pre-tokenizers, ready to run.
struct PreTokenizerChain: Sendable {
  private enum Step: Sendable {
    case gpt2
    case llama3(digits: Int)
    case cased(CasedScanner)
    case addSpace
    case split(PatternFinder, SplitBehavior, inverts: Bool)
    case characters(UInt8, SplitBehavior)
    case words
    case metaspace([UInt8], PreTokenizer.Prepending, splits: Bool)
  }
  private let steps: [Step]

  init(_ preTokenizers: [PreTokenizer]) throws(ModelError) {
    var steps: [Step] = []
    for preTokenizer in preTokenizers {
      switch preTokenizer {
      case .byteLevel(let addsSpace, let splits):
        if addsSpace { steps.append(.addSpace) }
        if splits { steps.append(.gpt2) }
      case .split(let pattern, let behavior, let inverts):
        // The known expressions match all of any text, so that keeping the matches and isolating them is the same.
        let keepsMatches =
          behavior == .isolated || behavior == .removed && inverts
        if keepsMatches, case .regex(let text) = pattern, let known = KnownExpression(text) {
          switch known {
          case .gpt2: steps.append(.gpt2)
          case .llama3: steps.append(.llama3(digits: 3))
          case .qwen2: steps.append(.llama3(digits: 1))
          case .tekken:
            steps.append(.cased(CasedScanner(longestNumber: 1, joinsContractions: false)))
          case .o200k:
            steps.append(.cased(CasedScanner(longestNumber: 3, joinsContractions: true)))
          }
        } else {
          let finder = try PatternFinder(pattern, key: "pre_tokenizer.pattern")
          steps.append(.split(finder, behavior, inverts: inverts))
        }
      case .digits(let individually):
        steps.append(.characters(UnicodeClasses.number, individually ? .isolated : .contiguous))
      case .metaspace(let replacement, let prepending, let splits):
        steps.append(.metaspace(Array(replacement.utf8), prepending, splits: splits))
      case .whitespace: steps.append(.words)
      case .whitespaceSplit: steps.append(.characters(UnicodeClasses.space, .removed))
      case .punctuation(let behavior):
        steps.append(.characters(UnicodeClasses.punctuation, behavior))
      }
    }
    self.steps = steps
  }

  /// Cuts the pieces of `text` further.
  func apply(_ text: inout CutText) {
    for step in steps {
      switch step {
      case .addSpace: text.addSpaces()
      case .metaspace(let replacement, let prepending, let splits):
        text.replaceSpaces(replacement, prepending, splits: splits)
      default:
        let bytes = text.bytes
        text.pieces = Self.cut(bytes.span, text.pieces, step)
      }
    }
  }

  private static func cut(_ bytes: Span<UInt8>, _ pieces: [Range<Int>], _ step: Step)
    -> [Range<Int>]
  {
    var result: [Range<Int>] = []
    result.reserveCapacity(max(pieces.count, bytes.count / 4))
    switch step {
    case .gpt2:
      let scanner = GPT2Scanner()
      for piece in pieces { scanner.cut(bytes, piece, &result) }
    case .llama3(let digits):
      let scanner = Llama3Scanner(longestNumber: digits)
      for piece in pieces { scanner.cut(bytes, piece, &result) }
    case .cased(let scanner):
      for piece in pieces { scanner.cut(bytes, piece, &result) }
    case .split(let finder, let behavior, let inverts):
      for piece in pieces {
        let matches = finder.matches(bytes, piece)
        behavior.append(piece, matches: matches, inverts: inverts, to: &result)
      }
    case .characters(let flag, let behavior):
      for piece in pieces {
        let matches = CharacterScanner.matches(of: flag, bytes, piece)
        behavior.append(piece, matches: matches, inverts: false, to: &result)
      }
    case .words:
      for piece in pieces { CharacterScanner.cutWords(bytes, piece, &result) }
    case .addSpace, .metaspace: return pieces
    }
    return result
  }
}
