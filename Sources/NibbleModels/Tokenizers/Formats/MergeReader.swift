/// Looks up the tokens that merges name, in order of rank.
struct MergeReader {
  private(set) var merges: [Merge] = []
  private let index: TokenIndex
  private let key: String
  /// The spellings of left and right, one behind the other.
  private var spelling: [UInt8] = []

  /// - Parameters:
  ///   - index: the ids of spellings.
  ///   - count: how many merges will come.
  ///   - key: where the merges stand, for messages.
  init(_ index: TokenIndex, count: Int, key: String) {
    self.index = index
    self.key = key
    merges.reserveCapacity(count)
  }

  /// Adds a merge of two spellings.
  mutating func add(_ left: String, _ right: String) throws(ModelError) {
    spelling.removeAll(keepingCapacity: true)
    spelling.append(contentsOf: left.utf8)
    let middle = spelling.count
    spelling.append(contentsOf: right.utf8)
    try add(0..<middle, middle..<spelling.count)
  }

  /// Adds a merge that is written as one text, cut at the first space.
  mutating func add(_ text: String) throws(ModelError) {
    spelling.removeAll(keepingCapacity: true)
    spelling.append(contentsOf: text.utf8)
    guard let space = spelling.firstIndex(of: 0x20) else { throw fault("a merge needs two tokens") }
    spelling.remove(at: space)
    try add(0..<space, space..<spelling.count)
  }

  private mutating func add(_ left: Range<Int>, _ right: Range<Int>) throws(ModelError) {
    // An empty part would make a token from itself, without end.
    guard !left.isEmpty, !right.isEmpty else { throw fault("a merge needs two tokens") }
    merges.append(
      Merge(
        left: try id(left), right: try id(right), result: try id(0..<spelling.count)))
  }

  private func id(_ range: Range<Int>) throws(ModelError) -> Int32 {
    if let id = index.find(spelling.span, range) { return id }
    throw fault("unknown token \(quoted(String(decoding: spelling[range], as: UTF8.self)))")
  }

  private func fault(_ reason: String) -> ModelError {
    .tokenizer("\(key)[\(merges.count)]", reason)
  }
}
