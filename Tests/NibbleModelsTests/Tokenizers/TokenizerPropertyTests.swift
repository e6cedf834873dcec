import NibbleCheckpoints
import NibbleModels
import NibbleTensors
import Testing

/// What holds for any text.
@Suite struct TokenizerPropertyTests {
  /// Characters of every class that a scanner treats apart.
  private static let alphabet: [String] = [
    "a", "s", "T", "re", "LL", "'", "'", " ", " ", "  ", "\n", "\r", "\r\n", "\t", "1", "23", ".",
    "!?", "é", "e\u{301}", "\u{301}", "ſ", "\u{A0}", "\u{3000}", "\u{2028}", "\u{85}", "½", "Ⅻ",
    "٣", "漢", "한", "\u{11A8}", "😀", "👩‍👩‍👧", "\u{200D}", "_", "/", "▁", "\u{0}", "<s>", "'s", "ß",
    "ǅ", "ʰ",
  ]

  private static func text(_ random: inout RandomSource, _ count: Int) -> String {
    var text = ""
    for _ in 0..<count { text += alphabet[random.integer(below: alphabet.count)] }
    return text
  }

  @Test(arguments: TokenizerFixture.byteLevelNames)
  func byteLevelDecodesToTheSameBytes(name: String) throws {
    let tokenizer = try Tokenizer(TokenizerFixture(name).definition())
    var random = RandomSource(seed: 1)
    for count in 0..<300 {
      let text = Self.text(&random, count % 60)
      let ids = tokenizer.encode(text, addSpecialTokens: false)
      #expect(tokenizer.decode(ids, skipSpecialTokens: false).isIdentical(to: text))
      #expect(ids.flatMap(tokenizer.bytes(of:)) == Array(text.utf8))
    }
  }

  @Test(arguments: TokenizerFixture.names)
  func streamingDecodesAsTheWhole(name: String) throws {
    let tokenizer = try Tokenizer(TokenizerFixture(name).definition())
    var random = RandomSource(seed: 2)
    for round in 0..<200 {
      // Tokens of a text, or any tokens at all, which need not spell UTF-8.
      let ids =
        round % 2 == 0
        ? tokenizer.encode(Self.text(&random, 20))
        : (0..<20).map { _ in random.integer(below: tokenizer.definition.vocabularySize + 2) }
      for skips in [true, false] {
        var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: skips)
        var streamed = ""
        for (place, id) in ids.enumerated() {
          streamed += decoder.append(id)
          var ended = decoder
          let whole = tokenizer.decode(Array(ids[...place]), skipSpecialTokens: skips)
          #expect((streamed + ended.finish()).isIdentical(to: whole))
        }
      }
    }
  }

  @Test func streamingHoldsBackIncompleteCharacters() throws {
    let tokenizer = try Tokenizer(TokenizerFixture("gpt2").definition())
    var decoder = StreamingDecoder(tokenizer)
    var texts: [String] = []
    for byte in Array("é😀".utf8) {
      let ids = (0..<tokenizer.definition.vocabularySize).filter {
        tokenizer.bytes(of: $0) == [byte]
      }
      texts.append(decoder.append(try #require(ids.first)))
    }
    #expect(texts == ["", "é", "", "", "", "😀"])
    #expect(decoder.finish() == "")
  }

  /// The scanners cut as a regular-expression engine does: with the expression in a group, they are not recognized.
  @Test(arguments: ["gpt2", "llama3", "qwen2", "tekken", "o200k"])
  func scannersCutAsTheExpression(name: String) throws {
    let o200k =
      #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    let gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    let steps = name == "o200k" ? nil : try TokenizerFixture(name).tokenizerJSON["pre_tokenizer"]
    let published = steps?["pretokenizers"]?.array?.first?["pattern"]?["Regex"]?.string
    let regex = published ?? (name == "o200k" ? o200k : gpt2)
    func tokenizer(_ regex: String) throws -> Tokenizer {
      let alphabet = Set(Self.alphabet.joined().utf8).sorted()
      return try Tokenizer(
        TokenizerDefinition(
          tokenizerJSON: SmallTokenizer.allPairs(of: alphabet, regex: regex), tokenizerConfig: nil,
          modelConfig: nil, vocabularySize: nil, chatTemplate: nil))
    }
    let scanned = try tokenizer(regex)
    let searched = try tokenizer("(?:\(regex))")
    var random = RandomSource(seed: 3)
    for count in 0..<2000 {
      let text = Self.text(&random, count % 24)
      #expect(scanned.encode(text) == searched.encode(text), "\(text.debugDescription)")
    }
  }

  @Test(arguments: TokenizerFixture.names)
  func longRunsTakeLinearTime(name: String) throws {
    let tokenizer = try Tokenizer(TokenizerFixture(name).definition())
    let clock = ContinuousClock()
    for unit in [" ", "\n", "a", "\u{301}", "<|", "'", "\u{0}"] {
      let text = String(repeating: unit, count: 100_000)
      let time = clock.measure { _ = tokenizer.encode(text) }
      // Quadratic time would be minutes.
      #expect(time < .seconds(10), "\(unit.debugDescription)")
    }
  }

  @Test func specialTokensAreTextWhereTheyAreNotParsed() throws {
    let tokenizer = try Tokenizer(TokenizerFixture("smollm").definition())
    let text = "<|im_start|>user\nHi<|im_end|>"
    let parsed = tokenizer.encode(text)
    let plain = tokenizer.encode(text, parseSpecialTokens: false)
    #expect(parsed.contains(1) && parsed.contains(2))
    #expect(!plain.contains(1) && !plain.contains(2))
    #expect(tokenizer.decode(plain) == text)
    #expect(tokenizer.decode(parsed) == "user\nHi")
  }

  /// Short pieces are scanned for each merge, long ones use a heap.
  @Test(arguments: [5, 30, 33, 90, 300])
  func mergesAsTheNaiveWay(count: Int) throws {
    let fixture = try TokenizerFixture("gpt2")
    let tokenizer = try Tokenizer(fixture.definition())
    let model = fixture.tokenizerJSON["model"]
    var random = RandomSource(seed: 4)
    for _ in 0..<20 {
      let letters = ["a", "b", "t", "h", "e", "i", "n"]
      let word = (0..<count).map { _ in letters[random.integer(below: letters.count)] }.joined()
      let expected = SmallTokenizer.mergeNaively(
        word, vocabulary: model?["vocab"] ?? nil, merges: model?["merges"] ?? nil)
      #expect(tokenizer.encode(word) == expected)
    }
  }
}
