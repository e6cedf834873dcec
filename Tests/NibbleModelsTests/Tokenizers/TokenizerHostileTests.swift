import NibbleCheckpoints
import NibbleModels
import NibbleTensors
import Testing

/// Definitions that contradict themselves: an error that names the key and the reason, never a trap.
@Suite struct TokenizerHostileTests {
  private static let sound: JSONValue = [
    "added_tokens": [["id": 5, "content": "<s>", "special": true, "normalized": false]],
    "normalizer": nil,
    "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "use_regex": true],
    "post_processor": [
      "type": "TemplateProcessing",
      "single": [["SpecialToken": ["id": "<s>", "type_id": 0]], ["Sequence": ["id": "A"]]],
      "special_tokens": ["<s>": ["id": "<s>", "ids": [5], "tokens": ["<s>"]]],
    ],
    "decoder": ["type": "ByteLevel"],
    "model": [
      "type": "BPE", "unk_token": nil,
      "vocab": ["a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġab": 4],
      "merges": [["a", "b"], "Ġ ab"],
    ],
  ]

  private static func load(_ value: JSONValue) throws(ModelError) -> Tokenizer {
    let definition = try TokenizerDefinition(
      tokenizerJSON: value, tokenizerConfig: nil, modelConfig: nil, vocabularySize: nil,
      chatTemplate: nil)
    return try Tokenizer(definition)
  }

  /// `value` with the member at a path of keys replaced.
  private static func replacing(_ value: JSONValue, _ path: ArraySlice<String>, _ new: JSONValue)
    -> JSONValue
  {
    guard let key = path.first else { return new }
    var object = value.object ?? JSONObject()
    object[key] = replacing(object[key] ?? nil, path.dropFirst(), new)
    return .object(object)
  }

  struct Case: CustomTestStringConvertible {
    var path: String
    var value: JSONValue
    var message: String
    var testDescription: String { "\(path): \(message)" }
    init(_ path: String, _ value: JSONValue, _ message: String) {
      (self.path, self.value, self.message) = (path, value, message)
    }
  }

  private static let long = String(repeating: "x", count: 2000)

  @Test func soundDefinitionLoads() throws {
    let tokenizer = try Self.load(Self.sound)
    #expect(tokenizer.encode("ab ab") == [5, 2, 4])
  }

  @Test(arguments: [
    Case("model", nil, "model: not an object"),
    Case("model.type", "WordPiece", "model.type: \"WordPiece\" is not supported"),
    Case("model.vocab", [:], "model.merges[0]: unknown token \"a\""),
    Case("model.vocab", ["a": 1, "b": 1], "tokens \"a\" and \"b\" share id 1"),
    Case("model.vocab", ["a": -1], "token \"a\" has id -1, which is out of range"),
    Case("model.vocab", ["a": 1_152_921_504_606_846_976], "1152921504606846976"),
    Case("model.vocab", ["a": 1_000_000], "out of range"),
    Case("model.vocab", ["a": 0.5], "no whole number"),
    Case("model.vocab", ["a", "b"], "model.vocab: not an object"),
    Case("model.vocab.<s>", 3, "model.vocab: tokens \"Ġ\" and \"<s>\" share id 3"),
    Case("model.vocab.<s>", 9, "\"<s>\" is there twice, as 9 and 5"),
    Case("model.merges", nil, "model.merges: not an array"),
    Case("model.merges", [["a", "zz"]], "model.merges[0]: unknown token \"zz\""),
    Case("model.merges", [["b", "a"]], "model.merges[0]: unknown token \"ba\""),
    Case("model.merges", ["a b", ["", "a"]], "model.merges[1]: a merge needs two tokens"),
    Case("model.merges", ["ab"], "a merge needs two tokens"),
    Case("model.merges", [["a", "b", "c"]], "a merge needs two tokens"),
    Case("model.merges", [7], "a merge needs two tokens"),
    Case("model.unk_token", "zz", "model.unk_token: unknown token \"zz\""),
    Case("model.dropout", 0.1, "model.dropout"),
    Case("model.continuing_subword_prefix", "##", "continuing_subword_prefix"),
    Case("added_tokens", 3, "added_tokens: not an array"),
    Case("added_tokens", [["id": "x", "content": "y"]], "added_tokens[0].id"),
    Case("added_tokens", [["id": 7]], "added_tokens[0].content"),
    Case("added_tokens", [["id": 7, "content": "y", "special": 1]], "added_tokens[0].special"),
    Case("added_tokens", [["id": 7, "content": .string(long)]], "longer than 1024"),
    Case("normalizer", ["type": "Nmt"], "normalizer: \"Nmt\" is not supported"),
    Case(
      "normalizer", ["type": "Precompiled", "precompiled_charsmap": "?"],
      "normalizer.precompiled_charsmap: not base64"),
    Case(
      "normalizer", ["type": "Precompiled", "precompiled_charsmap": "BAAAAAA="],
      "normalizer.precompiled_charsmap: a trie of 4 bytes in a table of 5"),
    Case("model", ["type": "Unigram", "vocab": ["a": 1]], "model.vocab: not an array"),
    Case(
      "model", ["type": "Unigram", "vocab": [["a", "b"]]],
      "model.vocab[0]: not a token and its score"),
    Case(
      "model", ["type": "Unigram", "unk_id": 1, "vocab": [["a", 0]]],
      "model.unk_id: not an id below 1"),
    Case("normalizer", ["type": "Sequence"], "normalizer.normalizers: not an array"),
    Case("normalizer", ["kind": "NFC"], "normalizer.type"),
    Case("normalizer", ["type": "Replace", "content": ""], "normalizer.pattern"),
    Case(
      "normalizer", ["type": "Replace", "pattern": ["Regex": "(["], "content": ""],
      "not a regular expression"),
    Case(
      "normalizer", ["type": "Replace", "pattern": ["String": "a"], "content": .string(long)],
      "256 times"),
    Case("normalizer", ["type": "Prepend", "prepend": .string(long)], "normalizer.prepend"),
    Case("pre_tokenizer", ["type": "Split", "pattern": ["String": " "]], "behavior"),
    Case(
      "pre_tokenizer", ["type": "Split", "pattern": ["String": ""], "behavior": "Isolated"],
      "an empty pattern"),
    Case("pre_tokenizer", ["type": "Metaspace", "replacement": "__"], "not one character"),
    Case("pre_tokenizer", ["type": "ByteLevel", "use_regex": "no"], "use_regex"),
    Case("decoder", ["type": "Strip", "content": " ", "start": -1, "stop": 0], "decoder.start"),
    Case("decoder", ["type": "Strip", "content": " ", "start": 0, "stop": 1], "decoder"),
    Case("post_processor", ["type": "TemplateProcessing"], "post_processor.single"),
    Case("post_processor.special_tokens.<s>.ids", [99], "not an id below 6"),
    Case("post_processor.special_tokens.<s>.ids", [-1], "not an id below 6"),
    Case(
      "post_processor.single", [["SpecialToken": ["id": "<x>"]]],
      "post_processor.special_tokens: unknown token \"<x>\""),
  ])
  func brokenTokenizerJSON(broken: Case) throws {
    let path = broken.path.split(separator: ".").map { String($0) }
    let value = Self.replacing(Self.sound, path[...], broken.value)
    do {
      _ = try Self.load(value)
      Issue.record("no error")
    } catch {
      #expect(error.description.contains(broken.message), "\(error)")
    }
  }

  @Test func brokenModelConfig() throws {
    for (config, message): (JSONValue, String) in [
      (["eos_token_id": 77], "eos_token_id: 77 is outside the vocabulary of 6"),
      (["bos_token_id": "x"], "bos_token_id: not a whole number"),
      (["vocab_size": 1_000_000_000_000], "vocab_size: 1000000000000 is out of range"),
    ] {
      let error = #expect(throws: ModelError.self) {
        try TokenizerDefinition(
          tokenizerJSON: Self.sound, tokenizerConfig: nil, modelConfig: config,
          vocabularySize: nil, chatTemplate: nil)
      }
      #expect(error?.description == message)
    }
  }

  @Test func brokenMetadata() throws {
    let cases: [(key: String, value: MetadataValue?, message: String)] = [
      ("model", nil, "tokenizer.ggml.model is missing"),
      ("model", .string("bert"), "tokenizer.ggml.model: \"bert\" is not supported"),
      ("model", .uint32(1), "tokenizer.ggml.model: not a text"),
      ("pre", .string("nobody's"), "tokenizer.ggml.pre: \"nobody's\" is not supported"),
      ("tokens", nil, "tokenizer.ggml.tokens is missing"),
      ("tokens", .strings([]), "tokenizer.ggml.tokens: 0 tokens"),
      ("tokens", .int32s([1]), "tokenizer.ggml.tokens: not an array of texts"),
      ("token_type", .int32s([1]), "tokenizer.ggml.token_type: 1 entries for 10 tokens"),
      ("token_type", .int32s([9, 1, 1, 1, 1, 1, 1, 1, 1, 1]), "token_type[0]: unknown type 9"),
      ("token_type", .string("x"), "token_type: not an array of integers"),
      ("merges", nil, "tokenizer.ggml.merges is missing"),
      ("merges", .strings(["a x"]), "tokenizer.ggml.merges[0]: unknown token \"x\""),
      ("merges", .strings([" a"]), "merges[0]: a merge needs two tokens"),
      ("bos_token_id", .uint32(10), "bos_token_id: 10 is outside the vocabulary of 10"),
      ("bos_token_id", .uint64(.max), "bos_token_id: not a whole number"),
      ("bos_token_id", nil, "bos_token_id is missing"),
      ("eos_token_id", .int32(-5), "eos_token_id: -5 is outside the vocabulary of 10"),
      ("add_bos_token", .uint8(1), "add_bos_token: not true or false"),
      (
        "tokens", .strings(["a", "a", "c", "d", "e", "f", "g", "h", "i", "j"]),
        "tokens[1]: token \"a\" is there already, as 0"
      ),
    ]
    for (key, value, message) in cases {
      var metadata = SmallTokenizer.byteLevelMetadata()
      if key == "bos_token_id", value == nil {
        metadata["tokenizer.ggml.add_bos_token"] = .bool(true)
      }
      metadata["tokenizer.ggml.\(key)"] = value
      let error = #expect(throws: ModelError.self, "\(message)") {
        try TokenizerDefinition(metadata: metadata)
      }
      #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    }
    for (key, value, message): (String, MetadataValue?, String) in [
      ("scores", nil, "tokenizer.ggml.scores is missing"),
      ("scores", .float32s([1]), "tokenizer.ggml.scores: 1 entries for 261 tokens"),
      (
        "scores", .float32s([Float](repeating: .nan, count: 261)),
        "tokenizer.ggml.scores: not a number"
      ),
      (
        "token_type", .int32s([Int32](repeating: 6, count: 261)),
        "tokenizer.ggml.tokens[0]: not a byte: \"<unk>\""
      ),
    ] {
      var metadata = SmallTokenizer.sentencePieceMetadata(["▁", "a"])
      metadata["tokenizer.ggml.\(key)"] = value
      let error = #expect(throws: ModelError.self) { try TokenizerDefinition(metadata: metadata) }
      #expect(error?.description == message)
    }
  }

  /// Random damage to sound definitions: whatever still loads also encodes, decodes and is written.
  @Test func mutatedDefinitionsNeverTrap() throws {
    let seed: UInt64 = 20_261_121
    var random = RandomSource(seed: seed)
    var loaded = 0
    let text = "ab ab<s> xé\u{301}\n\n  123 \u{0}"
    for _ in 0..<20_000 {
      var value = Self.sound
      for _ in 0...random.integer(below: 3) { value = Self.mutated(value, &random) }
      guard let tokenizer = try? Self.load(value) else { continue }
      loaded += 1
      let ids = tokenizer.encode(text)
      #expect(ids.allSatisfy { $0 >= 0 && $0 < tokenizer.definition.vocabularySize })
      _ = tokenizer.decode(ids)
      _ = try? tokenizer.definition.huggingFaceFiles()
      if let metadata = try? tokenizer.definition.metadata() {
        _ = try? Tokenizer(TokenizerDefinition(metadata: metadata)).encode(text)
      }
    }
    #expect(loaded > 1000, "seed \(seed)")
  }

  @Test func mutatedMetadataNeverTraps() throws {
    let seed: UInt64 = 7
    var random = RandomSource(seed: seed)
    var loaded = 0
    let sound = [
      SmallTokenizer.byteLevelMetadata(),
      SmallTokenizer.sentencePieceMetadata(["▁", "a", "b", "ab", "▁a"]),
    ]
    for round in 0..<4000 {
      var metadata = sound[round % 2]
      for _ in 0...random.integer(below: 2) {
        let key = metadata.keys[random.integer(below: metadata.keys.count)]
        metadata[key] = Self.mutated(metadata[key], &random)
      }
      guard let tokenizer = try? Tokenizer(TokenizerDefinition(metadata: metadata)) else {
        continue
      }
      loaded += 1
      let ids = tokenizer.encode("ab a<|eot_id|>é b")
      #expect(ids.allSatisfy { $0 >= 0 && $0 < tokenizer.definition.vocabularySize })
      _ = tokenizer.decode(ids)
      _ = try? tokenizer.definition.huggingFaceFiles()
      _ = try? tokenizer.definition.metadata()
    }
    #expect(loaded > 200, "seed \(seed)")
  }

  private static func mutated(_ value: MetadataValue?, _ random: inout RandomSource)
    -> MetadataValue?
  {
    switch (value, random.integer(below: 8)) {
    case (_, 0): return nil
    case (.strings(var texts)?, 1...6) where !texts.isEmpty:
      let others = ["", "a", "ab", " ", "a b", "▁", "<0x41>", "Ġ", "\u{301}"]
      texts[random.integer(below: texts.count)] = others[random.integer(below: others.count)]
      return .strings(texts)
    case (.int32s(var values)?, 1...6) where !values.isEmpty:
      values[random.integer(below: values.count)] = Int32(random.integer(below: 9)) - 1
      return .int32s(values)
    case (.float32s(var values)?, 1...6) where !values.isEmpty:
      let others: [Float] = [0, 1, -1, .infinity, -.infinity, .nan, 1e30]
      values[random.integer(below: values.count)] = others[random.integer(below: others.count)]
      return .float32s(values)
    default:
      let others: [MetadataValue] = [
        .uint32(0), .uint32(3), .uint32(.max), .uint64(.max), .int64(.min), .bool(true),
        .bool(false), .string("llama"), .string("gpt2"), .string("default"), .string("tekken"),
        .strings([]), .strings(["a", "b", "ab"]), .float32s([]), .int32s([]),
        .array(element: .string, []), .array(element: .int8, [.int8(1)]), .float64(.nan),
      ]
      return others[random.integer(below: others.count)]
    }
  }

  private static func mutated(_ value: JSONValue, _ random: inout RandomSource) -> JSONValue {
    switch value {
    case .object(let object) where object.count > 0 && random.integer(below: 12) > 0:
      var object = object
      let key = object.keys[random.integer(below: object.count)]
      let member = object[key] ?? nil
      switch random.integer(below: 12) {
      case 0: object[key] = nil
      case 1: object[key + "x"] = member
      default: object[key] = mutated(member, &random)
      }
      return .object(object)
    case .array(var elements) where !elements.isEmpty && random.integer(below: 12) > 0:
      let place = random.integer(below: elements.count)
      switch random.integer(below: 12) {
      case 0: elements.remove(at: place)
      case 1: elements.append(elements[place])
      default: elements[place] = mutated(elements[place], &random)
      }
      return .array(elements)
    default:
      let others: [JSONValue] = [
        nil, true, false, 0, 1, 5, -1, 4_611_686_018_427_387_904, 0.5, "", "a", " ", "Ġ", "<s>",
        "NFC", "Metaspace", "Split", "Digits", "Sequence", "ByteFallback", "Fuse", [], [:], ["a"],
        ["type": "NFKC"], ["type": "Metaspace", "replacement": "▁"],
        ["type": "Split", "pattern": ["Regex": "\\s*"], "behavior": "MergedWithNext"],
        ["type": "Replace", "pattern": ["Regex": "b*"], "content": "xy"],
      ]
      return others[random.integer(below: others.count)]
    }
  }
}
