/// Collects tokens by id and checks them: nothing absurd, nothing twice.
struct VocabularyBuilder {
  private(set) var tokens: [String?] = []
  private(set) var index: TokenIndex
  private let limit: Int

  /// - Parameter count: the entries that the file holds; ids far beyond it are refused, because every id below the
  ///   largest takes memory.
  init(count: Int) {
    index = TokenIndex(minimumCapacity: count)
    limit = min(count * 4 + 65_536, TokenizerDefinition.largestVocabulary)
    tokens.reserveCapacity(count)
  }

  /// Gives `id` to `text`. Returns false when exactly this is known already.
  @discardableResult
  mutating func add(_ text: String, _ id: Int, key: String) throws(ModelError) -> Bool {
    guard id >= 0, id < limit else {
      throw .tokenizer(key, "token \(quoted(text)) has id \(id), which is out of range")
    }
    if let other = index.insert(Array(text.utf8), Int32(id)) {
      guard other == id else {
        throw .tokenizer(key, "token \(quoted(text)) is there twice, as \(other) and \(id)")
      }
      return false
    }
    while tokens.count <= id { tokens.append(nil) }
    if let other = tokens[id] {
      throw .tokenizer(key, "tokens \(quoted(other)) and \(quoted(text)) share id \(id)")
    }
    tokens[id] = text
    return true
  }
}
