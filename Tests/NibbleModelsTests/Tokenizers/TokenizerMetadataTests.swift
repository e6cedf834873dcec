import NibbleCheckpoints
import NibbleModels
import Testing

/// Tokenizers from GGUF keys, without a file.
@Suite struct TokenizerMetadataTests {
  @Test func byteLevel() throws {
    let definition = try TokenizerDefinition(metadata: SmallTokenizer.byteLevelMetadata())
    let tokenizer = try Tokenizer(definition)
    // `llama-bpe` puts the begin token in front and takes whole pieces that are tokens ("cd") without merges.
    #expect(tokenizer.encode("ab abcd cd") == [8, 5, 6, 2, 3, 4, 2, 3])
    #expect(tokenizer.encode("cd", addSpecialTokens: false) == [7])
    #expect(tokenizer.encode("ab<|eot_id|>cd") == [8, 5, 9, 7])
    #expect(tokenizer.decode([8, 5, 6, 7, 9]) == "ab abcd")
    #expect(definition.beginTokenID == 8)
    #expect(definition.endTokenIDs == [9])
    #expect(definition.addsBeginToken)
    #expect(!definition.addsEndToken)
    #expect(definition.chatTemplate == "{{ messages }}")
    #expect(definition.specialTokens["bos_token"] == "<|begin|>")
    #expect(definition.vocabularySize == 10)
  }

  @Test func scoresDecideWhichPairMergesFirst() throws {
    let pieces = ["bc", "ab", "▁a", "abc", "▁", "a", "b", "c"]
    let metadata = SmallTokenizer.sentencePieceMetadata(pieces)
    let tokenizer = try Tokenizer(TokenizerDefinition(metadata: metadata))
    func texts(_ text: String) -> [String] {
      tokenizer.encode(text, addSpecialTokens: false).map {
        tokenizer.definition.text(of: $0) ?? ""
      }
    }
    // "bc" (score 0) before "ab" (-1); then "▁a" (-2) before "abc" (-3).
    #expect(texts("abc") == ["▁a", "bc"])
    #expect(texts("b abc") == ["▁", "b", "▁a", "bc"])
    #expect(texts("aab") == ["▁a", "ab"])
    // Leftmost first among equals: bc·bc, and what is left over in bytes.
    #expect(texts("bcbcé") == ["▁", "bc", "bc", "<0xC3>", "<0xA9>"])
    #expect(tokenizer.encode("a") == [1, 261])
    #expect(tokenizer.decode(tokenizer.encode("b abcé ")) == "b abcé ")
  }

  /// All scores alike, as some converters write them: the leftmost pair merges first, as in llama.cpp.
  @Test func equalScoresMergeTheLeftmostPair() throws {
    var metadata = SmallTokenizer.sentencePieceMetadata(["▁", "a", "b", "c", "ab", "bc"])
    metadata["tokenizer.ggml.scores"] = .float32s([Float](repeating: -1000, count: 265))
    let tokenizer = try Tokenizer(TokenizerDefinition(metadata: metadata))
    #expect(tokenizer.encode("abc") == [1, 259, 263, 262])
  }

  @Test func defaultsOfAbsentKeys() throws {
    var metadata = SmallTokenizer.sentencePieceMetadata(["▁", "a"])
    for key in ["bos_token_id", "eos_token_id", "token_type"] {
      metadata["tokenizer.ggml.\(key)"] = nil
    }
    let definition = try TokenizerDefinition(metadata: metadata)
    #expect(definition.beginTokenID == 1)
    #expect(definition.endTokenIDs == [2])
    #expect(definition.unknownTokenID == 0)
    #expect(definition.addsBeginToken)
    metadata["tokenizer.ggml.add_bos_token"] = .bool(false)
    metadata["tokenizer.ggml.add_eos_token"] = .bool(true)
    metadata["tokenizer.ggml.add_space_prefix"] = .bool(false)
    let tokenizer = try Tokenizer(TokenizerDefinition(metadata: metadata))
    #expect(tokenizer.encode("a") == [260, 2])
  }

  @Test func rolesOfAHuggingFaceFolder() throws {
    let fixture = try TokenizerFixture("smollm")
    let definition = try TokenizerDefinition(
      tokenizerJSON: fixture.tokenizerJSON,
      tokenizerConfig: [
        "bos_token": "<|im_start|>", "eos_token": ["content": "<|im_end|>", "lstrip": false],
        "pad_token": "<|im_end|>", "unk_token": "<|endoftext|>", "add_bos_token": true,
        "chat_template": [
          ["name": "default", "template": "A"], ["name": "tool_use", "template": "B"],
        ],
      ],
      modelConfig: ["eos_token_id": [2, 0], "vocab_size": 704], vocabularySize: nil,
      chatTemplate: nil)
    #expect(definition.beginTokenID == 1)
    #expect(definition.endTokenIDs == [2, 0])
    #expect(definition.padTokenID == 2)
    #expect(definition.unknownTokenID == 0)
    #expect(definition.addsBeginToken)
    #expect(definition.chatTemplate == "A")
    #expect(definition.vocabularySize == 704)
    #expect(try Tokenizer(definition).encode("").elementsEqual([1]))

    let metadata = try definition.metadata()
    #expect(metadata["tokenizer.ggml.pre"] == .string("smollm"))
    let tokens = try #require(metadata["tokenizer.ggml.tokens"]?.strings)
    #expect(tokens.count == 704)
    #expect(tokens.last == "[PAD703]")
    #expect(metadata["tokenizer.ggml.unknown_token_id"] == .uint32(0))
    #expect(metadata["tokenizer.ggml.add_bos_token"] == .bool(true))
    #expect(metadata["tokenizer.chat_template.tool_use"] == .string("B"))
    #expect(metadata["tokenizer.chat_templates"] == .strings(["tool_use"]))
    let reread = try TokenizerDefinition(metadata: metadata)
    #expect(try reread.metadata() == metadata)
    #expect(try definition.huggingFaceFiles().tokenizerConfig["pad_token"] == "<|im_end|>")

    let replaced = try TokenizerDefinition(
      tokenizerJSON: fixture.tokenizerJSON, tokenizerConfig: ["chat_template": "A"],
      modelConfig: ["bos_token_id": 1, "eos_token_id": 2], vocabularySize: 800, chatTemplate: "C")
    #expect(replaced.chatTemplate == "C")
    #expect(replaced.beginTokenID == 1)
    #expect(replaced.vocabularySize == 800)
  }

  /// Converters number SentencePiece pieces from -0 downwards; so do the scores that ranks become.
  @Test func ranksBecomeScores() throws {
    let metadata = try TokenizerFixture("llama2").definition().metadata()
    guard case .float32s(let scores)? = metadata["tokenizer.ggml.scores"] else {
      Issue.record("no scores")
      return
    }
    #expect(scores.max() == 0)
    #expect(Set(scores).count > 300)
    #expect(metadata["tokenizer.ggml.merges"] == nil)
    // Merges that no scores express are kept beside them.
    let other = try TokenizerFixture("metaspace").definition().metadata()
    #expect(other["tokenizer.ggml.merges"] != nil)
  }
}
