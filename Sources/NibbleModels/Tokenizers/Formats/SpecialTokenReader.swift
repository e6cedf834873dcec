internal import NibbleCheckpoints

extension TokenizerDefinition {
  /// Reads which tokens begin, end and pad a text.
  mutating func readRoles(_ tokenizer: JSONValue, _ model: JSONValue, _ index: TokenIndex)
    throws(ModelError)
  {
    for key in tokenizer.object?.keys ?? [] where key.hasSuffix("_token") {
      let value = tokenizer[key]
      if let text = value?.string ?? value?["content"]?.string { specialTokens[key] = text }
    }
    func id(_ role: String) throws(ModelError) -> [Int] {
      if let text = specialTokens["\(role)_token"], let id = index.find(text) { return [Int(id)] }
      return try configured(role)
    }
    func configured(_ role: String) throws(ModelError) -> [Int] {
      let key = "\(role)_token_id"
      guard let value = model[key] ?? model["text_config"]?[key], !value.isNull else { return [] }
      var ids: [Int] = []
      for value in value.array ?? [value] {
        guard let id = value.integer else { throw .tokenizer(key, "not a whole number") }
        if id == -1 { continue }
        guard tokens.indices.contains(id) else {
          throw .tokenizer(key, "\(id) is outside the vocabulary of \(tokens.count)")
        }
        ids.append(id)
      }
      return ids
    }
    beginTokenID = try id("bos").first ?? prefixTokenIDs.first
    endTokenIDs = try id("eos")
    if endTokenIDs.isEmpty { endTokenIDs = Array(suffixTokenIDs.suffix(1)) }
    for id in try configured("eos") where !endTokenIDs.contains(id) { endTokenIDs.append(id) }
    padTokenID = try id("pad").first
    if unknownTokenID == nil, let text = specialTokens["unk_token"] {
      unknownTokenID = index.find(text).map { Int($0) }
    }
    addKnownEnds()
    name("bos_token", beginTokenID)
    name("eos_token", endTokenIDs.first)
    name("pad_token", padTokenID)
    name("unk_token", unknownTokenID)

    // An explicit setting wins over the post-processor, as in the converters of the field.
    if let adds = tokenizer["add_bos_token"]?.bool, let begin = beginTokenID, adds != addsBeginToken
    {
      if adds { prefixTokenIDs.insert(begin, at: 0) } else { prefixTokenIDs.removeFirst() }
    }
    if let adds = tokenizer["add_eos_token"]?.bool, let end = endTokenIDs.first {
      if adds, suffixTokenIDs.isEmpty { suffixTokenIDs = [end] }
      if !adds, suffixTokenIDs == [end] { suffixTokenIDs = [] }
    }
  }

  /// Records the spelling of a role that the file gives by id only.
  mutating func name(_ role: String, _ id: Int?) {
    if specialTokens[role] == nil, let id { specialTokens[role] = tokens[id] }
  }

  /// Reads the chat templates; a list names them, and the one called "default" is the default.
  mutating func readTemplates(_ tokenizer: JSONValue, _ file: String?) {
    chatTemplate = tokenizer["chat_template"]?.string
    for entry in tokenizer["chat_template"]?.array ?? [] {
      guard let name = entry["name"]?.string, let template = entry["template"]?.string else {
        continue
      }
      if name == "default" {
        chatTemplate = template
      } else {
        namedChatTemplates.append((name, template))
      }
    }
    if let file { chatTemplate = file }
  }
}
