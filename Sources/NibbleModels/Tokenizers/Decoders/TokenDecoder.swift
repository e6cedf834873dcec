/// One step on the way from tokens back to text.
enum Decoder: Hashable, Sendable {
  case byteLevel
  case byteFallback
  case fuse
  case replace(TextPattern, with: String)
  /// Takes `character` away, up to `start` times in front and `stop` times behind.
  case strip(character: String, start: Int, stop: Int)
  case metaspace(replacement: String, PreTokenizer.Prepending, splits: Bool)
}

/// The bytes that each token stands for.
///
/// All decoder steps but the strip after `fuse` look at one token only, so they run once, here. Bytes that are not
/// UTF-8 become U+FFFD when text is made of them, one for each maximal ill-formed part (Unicode 3.9).
struct TokenDecoder: Sendable {
  private var bytes: [UInt8] = []
  private var starts: [Int] = [0]
  /// Left out when special tokens are skipped.
  private var isSpecial: [Bool] = []
  /// What is taken from the front of a whole text: this byte, at most so many times.
  let leadingStrip: (byte: UInt8, count: Int)

  init(_ definition: TokenizerDefinition) throws(ModelError) {
    var steps: [(ArraySlice<UInt8>) -> [UInt8]] = []
    var leadingStrip: (byte: UInt8, count: Int) = (0, 0)
    var isFused = false
    var growth = 1
    for decoder in definition.decoders {
      switch decoder {
      case .byteLevel, .byteFallback: break
      case .fuse: isFused = true
      case .replace(let pattern, let content):
        guard !isFused else {
          throw .tokenizer("decoder", "Replace after Fuse is not supported")
        }
        let finder = try PatternFinder(pattern, key: "decoder.pattern")
        let content = Array(content.utf8)
        growth = try NormalizerChain.grown(growth, finder, content, key: "decoder")
        steps.append { text in
          let text = Array(text)
          let matches = finder.matches(text.span, 0..<text.count)
          return NormalizerChain.replacing(matches, in: text, content)
        }
      case .strip(let character, let start, let stop):
        guard isFused, stop == 0, character.utf8.count == 1, let byte = character.utf8.first else {
          throw .tokenizer(
            "decoder", "Strip is supported for one ASCII character in front of the whole text only")
        }
        leadingStrip = (byte, start)
      case .metaspace(let replacement, let prepending, _):
        let finder = try PatternFinder(.literal(replacement), key: "decoder.replacement")
        steps.append { text in
          let text = Array(text)
          return NormalizerChain.replacing(
            finder.matches(text.span, 0..<text.count), in: text, [0x20])
        }
        if prepending != .never { leadingStrip = (0x20, 1) }
      }
    }
    self.leadingStrip = leadingStrip

    var isAdded = [Bool](repeating: false, count: definition.tokens.count)
    isSpecial = isAdded
    for token in definition.addedTokens {
      isAdded[token.id] = true
      isSpecial[token.id] = token.isSpecial
    }
    let isByteLevel = definition.isByteLevel || definition.decoders.contains(.byteLevel)
    starts.reserveCapacity(definition.tokens.count + 1)
    for (id, token) in definition.tokens.enumerated() {
      if definition.kinds[id] == .byte, let byte = TokenKind.byte(ofTokenText: token) {
        bytes.append(byte)
      } else if isByteLevel {
        bytes += (isAdded[id] ? nil : ByteAlphabet.bytes(of: token)) ?? Array(token.utf8)
      } else {
        var text = Array(token.utf8)
        for step in steps { text = step(text[...]) }
        bytes += text
      }
      starts.append(bytes.count)
    }
  }

  /// The bytes of a token; none for an id outside the vocabulary.
  func bytes(of token: Int) -> ArraySlice<UInt8> {
    guard token >= 0, token < isSpecial.count else { return [] }
    return bytes[starts[token]..<starts[token + 1]]
  }

  /// Whether the token is left out when special tokens are skipped.
  func isSpecial(_ token: Int) -> Bool {
    token >= 0 && token < isSpecial.count && isSpecial[token]
  }
}
