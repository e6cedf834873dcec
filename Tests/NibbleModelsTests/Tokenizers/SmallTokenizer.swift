import NibbleCheckpoints
import NibbleModels
import NibbleTensors

extension RandomSource {
  /// A whole number from 0 to `count` - 1.
  mutating func integer(below count: Int) -> Int { Int(next() % UInt64(count)) }
}

/// Tokenizers small enough to write down, and slow ways to do what the fast ones do.
enum SmallTokenizer {
  /// The spelling of a byte in the byte-level alphabet.
  static func spelling(_ byte: UInt8) -> String {
    let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
    if isPrintable { return String(Unicode.Scalar(byte)) }
    let others = (0..<byte).filter {
      !((0x21...0x7E).contains($0) || (0xA1...0xAC).contains($0) || $0 >= 0xAE)
    }
    return Unicode.Scalar(UInt32(0x100 + others.count)).map { String($0) } ?? ""
  }

  /// A byte-level tokenizer in which any two bytes merge, so that tokens show where pieces begin.
  static func allPairs(of alphabet: [UInt8], regex: String) -> JSONValue {
    var vocabulary = JSONObject()
    var merges: [JSONValue] = []
    let spellings = alphabet.map(spelling)
    for spelling in spellings { vocabulary[spelling] = .integer(Int64(vocabulary.count)) }
    for left in spellings {
      for right in spellings {
        vocabulary[left + right] = .integer(Int64(vocabulary.count))
        merges.append(.string("\(left) \(right)"))
      }
    }
    return [
      "pre_tokenizer": [
        "type": "Sequence",
        "pretokenizers": [
          [
            "type": "Split", "pattern": ["Regex": .string(regex)], "behavior": "Isolated",
            "invert": false,
          ],
          ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false],
        ],
      ],
      "model": ["type": "BPE", "vocab": .object(vocabulary), "merges": .array(merges)],
    ]
  }

  /// Merges the letters of an ASCII word by looking through all pairs for each merge.
  static func mergeNaively(_ word: String, vocabulary: JSONValue, merges: JSONValue) -> [Int] {
    var ranks: [[String]: Int] = [:]
    for (rank, pair) in (merges.array ?? []).enumerated() {
      ranks[(pair.array ?? []).compactMap(\.string)] = rank
    }
    var parts = word.map { String($0) }
    while true {
      let pairs = zip(parts, parts.dropFirst()).map { ranks[[$0, $1]] ?? Int.max }
      guard let best = pairs.min(), best < Int.max, let place = pairs.firstIndex(of: best) else {
        return parts.compactMap { vocabulary[$0]?.integer }
      }
      parts[place] += parts.remove(at: place + 1)
    }
  }

  /// A SentencePiece-style vocabulary as GGUF keys: `<unk>`, `<s>`, `</s>`, 256 bytes, then `pieces` by falling score.
  static func sentencePieceMetadata(_ pieces: [String]) -> Metadata {
    let bytes = (0..<256).map { (byte: Int) -> String in
      let digits = String(byte, radix: 16, uppercase: true)
      return "<0x\(digits.count == 1 ? "0" : "")\(digits)>"
    }
    var metadata = Metadata()
    metadata["tokenizer.ggml.model"] = .string("llama")
    metadata["tokenizer.ggml.tokens"] = .strings(["<unk>", "<s>", "</s>"] + bytes + pieces)
    metadata["tokenizer.ggml.scores"] = .float32s(
      [Float](repeating: 0, count: 259) + pieces.indices.map { -Float($0) })
    metadata["tokenizer.ggml.token_type"] = .int32s(
      [2, 3, 3] + [Int32](repeating: 6, count: 256) + pieces.map { _ in 1 })
    metadata["tokenizer.ggml.bos_token_id"] = .uint32(1)
    metadata["tokenizer.ggml.eos_token_id"] = .uint32(2)
    return metadata
  }

  /// A byte-level vocabulary as GGUF keys: the letters a to d, a space, some merges and a control token.
  static func byteLevelMetadata() -> Metadata {
    var metadata = Metadata()
    metadata["tokenizer.ggml.model"] = .string("gpt2")
    metadata["tokenizer.ggml.pre"] = .string("llama-bpe")
    metadata["tokenizer.ggml.tokens"] = .strings(
      ["a", "b", "c", "d", "Ġ", "ab", "Ġab", "cd", "<|begin|>", "<|eot_id|>"])
    metadata["tokenizer.ggml.token_type"] = .int32s([1, 1, 1, 1, 1, 1, 1, 1, 3, 3])
    metadata["tokenizer.ggml.merges"] = .strings(["a b", "Ġ ab"])
    metadata["tokenizer.ggml.bos_token_id"] = .uint32(8)
    metadata["tokenizer.ggml.eos_token_id"] = .uint32(9)
    metadata["tokenizer.chat_template"] = .string("{{ messages }}")
    return metadata
  }
}
