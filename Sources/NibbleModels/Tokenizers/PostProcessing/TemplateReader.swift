internal import NibbleCheckpoints

/// Reads the post-processor of a `tokenizer.json`: the tokens that it puts in front of and behind a text.
struct TemplateReader {
  let index: TokenIndex
  let tokenCount: Int
  private(set) var prefix: [Int] = []
  private(set) var suffix: [Int] = []

  init(index: TokenIndex, tokenCount: Int) {
    self.index = index
    self.tokenCount = tokenCount
  }

  mutating func read(_ value: JSONValue?) throws(ModelError) {
    for step in try PipelineReader.steps(value, "post_processor", "processors") {
      switch step.type {
      case "ByteLevel": break
      case "BertProcessing", "RobertaProcessing":
        prefix.insert(try pairedID(step.value["cls"], "\(step.key).cls"), at: 0)
        suffix.append(try pairedID(step.value["sep"], "\(step.key).sep"))
      case "TemplateProcessing": try readTemplate(step.value, step.key)
      default:
        throw ModelError(.unsupported, "\(step.key): \(quoted(step.type)) is not supported")
      }
    }
  }

  private mutating func readTemplate(_ value: JSONValue, _ key: String) throws(ModelError) {
    guard let pieces = value["single"]?.array, pieces.count <= 64 else {
      throw .tokenizer("\(key).single", "not an array of at most 64 pieces")
    }
    var front: [Int] = []
    var behind: [Int] = []
    var isBehind = false
    for piece in pieces {
      if piece["Sequence"] != nil {
        isBehind = true
        continue
      }
      guard let name = piece["SpecialToken"]?["id"]?.string else {
        throw .tokenizer("\(key).single", "neither a Sequence nor a SpecialToken")
      }
      let ids = try ids(of: name, value["special_tokens"], "\(key).special_tokens")
      if isBehind { behind += ids } else { front += ids }
    }
    prefix = front + prefix
    suffix += behind
  }

  private func ids(of name: String, _ table: JSONValue?, _ key: String) throws(ModelError) -> [Int]
  {
    if let listed = table?[name]?["ids"]?.array, listed.count <= 64 {
      var ids: [Int] = []
      for value in listed { ids.append(try checked(value, "\(key).\(name).ids")) }
      return ids
    }
    guard let id = index.find(name) else {
      throw .tokenizer(key, "unknown token \(quoted(name))")
    }
    return [Int(id)]
  }

  /// The id of a pair `["</s>", 2]`.
  private func pairedID(_ value: JSONValue?, _ key: String) throws(ModelError) -> Int {
    guard let pair = value?.array, pair.count == 2 else {
      throw .tokenizer(key, "not a token and its id")
    }
    return try checked(pair[1], key)
  }

  private func checked(_ value: JSONValue, _ key: String) throws(ModelError) -> Int {
    guard let id = value.integer, id >= 0, id < tokenCount else {
      throw .tokenizer(key, "not an id below \(tokenCount)")
    }
    return id
  }
}
