internal import NibbleCheckpoints

extension TokenizerDefinition {
  /// Reads the Unigram model of a `tokenizer.json`: `vocab` is a list of spellings and scores, in order of their ids.
  mutating func readUnigram(_ model: JSONValue, _ added: JSONValue?) throws(ModelError)
    -> TokenIndex
  {
    guard let vocabulary = model["vocab"]?.array else {
      throw .tokenizer("model.vocab", "not an array")
    }
    let addedEntries = try Self.entries(added)
    var builder = VocabularyBuilder(count: vocabulary.count + addedEntries.count)
    var scores: [Double] = []
    scores.reserveCapacity(vocabulary.count)
    for (id, entry) in vocabulary.enumerated() {
      guard let pair = entry.array, pair.count == 2, let text = pair[0].string,
        let score = pair[1].number, score.isFinite
      else { throw .tokenizer("model.vocab[\(id)]", "not a token and its score") }
      try builder.add(text, id, key: "model.vocab")
      scores.append(score)
    }
    let index = try finishVocabulary(&builder, addedEntries)
    unigram = Unigram(scores: scores)
    fusesUnknown = true
    fallsBackToBytes = model["byte_fallback"]?.bool ?? false
    if let value = model["unk_id"], !value.isNull {
      guard let id = value.integer, id >= 0, id < scores.count else {
        throw .tokenizer("model.unk_id", "not an id below \(scores.count)")
      }
      unknownTokenID = id
      emitsUnknown = true
    }
    return index
  }

  /// The Unigram model as `tokenizer.json` has it, for the first `count` tokens.
  func unigramJSON(_ unigram: Unigram, count: Int) -> JSONValue {
    let entries: [JSONValue] = (0..<count).map { id in
      let score = id < unigram.scores.count ? unigram.scores[id] : 0
      return .array([.string(tokens[id]), .number(score)])
    }
    return [
      "type": "Unigram", "unk_id": unknownTokenID.map { .integer(Int64($0)) } ?? nil,
      "vocab": .array(entries), "byte_fallback": .bool(fallsBackToBytes),
    ]
  }
}
