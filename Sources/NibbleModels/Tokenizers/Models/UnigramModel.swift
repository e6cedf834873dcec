/// The likeliest way to spell a piece of text with tokens that have a score each: log-probabilities (Kudo 2018,
/// arXiv:1804.10959, §3.2), found by the Viterbi algorithm over the text's bytes.
///
/// A character that no token spells costs ten more than the rarest token; neighbouring ones are one unknown token, or byte
/// tokens where the model has them. `Score` is the type in which sums are kept: it decides between ways that are as good
/// as equal, so it is the one of the library that the model was made for.
struct UnigramModel<Score: BinaryFloatingPoint & Sendable>: Sendable {
  private let trie: TokenTrie
  private let scores: [Score]
  private let unknownScore: Score
  private let unknown: Int32
  /// The tokens `<0xHH>`; empty where the model has none.
  private let byteTokens: [Int32]
  /// Sums beyond this are counted anew from 0, so that they stay exact enough.
  private let largestSum: Score

  init(_ definition: TokenizerDefinition, scores: [Double], largestSum: Score = .infinity) {
    self.largestSum = largestSum
    self.scores = scores.map { Score($0) }
    let kinds = definition.kinds
    var entries: [(text: [UInt8], token: Int32)] = []
    var index = TokenIndex(minimumCapacity: definition.tokens.count)
    for (id, token) in definition.tokens.enumerated() where id < scores.count {
      guard kinds[id] == .normal || kinds[id] == .userDefined, !token.isEmpty else { continue }
      let bytes = Array(token.utf8)
      if index.insert(bytes, Int32(id)) == nil { entries.append((bytes, Int32(id))) }
    }
    trie = TokenTrie(entries)
    let normal = entries.lazy.filter { kinds[Int($0.token)] == .normal }
    unknownScore = Score(normal.map { scores[Int($0.token)] }.min() ?? 0) - 10
    unknown = definition.emitsUnknown ? definition.unknownTokenID.map { Int32($0) } ?? -1 : -1
    byteTokens =
      definition.fallsBackToBytes ? BytePairModel.byteTokens(definition.tokens, kinds) : []
  }

  /// Scratch memory of one encoding: the best way to each place of the text.
  struct Lattice {
    /// The score of the best way, where there is one.
    fileprivate var scores: [Score] = []
    /// Where the last token of the best way starts, -1 where no way is known.
    fileprivate var starts: [Int32] = []
    /// The last token of the best way; -1 for a character that no token spells.
    fileprivate var tokens: [Int32] = []
    init() {}
  }

  /// Appends the tokens of the piece `bytes[range]`.
  func encode(
    _ bytes: Span<UInt8>, _ range: Range<Int>, with lattice: inout Lattice,
    into result: inout [Int]
  ) {
    fill(&lattice, bytes, range)
    let count = range.count
    var path: [(start: Int, token: Int32)] = []
    var end = count
    while end > 0 {
      let start = Int(lattice.starts[end])
      path.append((start, lattice.tokens[end]))
      end = start
    }
    var wasUnknown = false
    for (number, step) in path.reversed().enumerated() {
      guard step.token < 0 else {
        result.append(Int(step.token))
        wasUnknown = false
        continue
      }
      let next = path.count - 2 - number
      let end = next >= 0 ? path[next].start : count
      let text = range.lowerBound + step.start..<range.lowerBound + end
      if !byteTokens.isEmpty, text.allSatisfy({ byteTokens[Int(bytes[$0])] >= 0 }) {
        for place in text { result.append(Int(byteTokens[Int(bytes[place])])) }
      } else if unknown >= 0 {
        if !wasUnknown { result.append(Int(unknown)) }
        wasUnknown = true
      }
    }
  }

  private func fill(_ lattice: inout Lattice, _ bytes: Span<UInt8>, _ range: Range<Int>) {
    let count = range.count
    lattice.scores.removeAll(keepingCapacity: true)
    lattice.starts.removeAll(keepingCapacity: true)
    lattice.tokens.removeAll(keepingCapacity: true)
    lattice.scores.append(contentsOf: repeatElement(0, count: count + 1))
    lattice.starts.append(contentsOf: repeatElement(-1, count: count + 1))
    lattice.tokens.append(contentsOf: repeatElement(-1, count: count + 1))
    var start = 0
    // The furthest place to which a way is known.
    var frontier = 0
    while start < count {
      var before = lattice.scores[start]
      if before.magnitude > largestSum {
        for place in start...max(start, frontier)
        where place == start || lattice.starts[place] >= 0 {
          lattice.scores[place] -= before
        }
        before = 0
      }
      let character = min(Self.length(of: bytes[range.lowerBound + start]), count - start)
      var hasCharacter = false
      var node = TokenTrie.root
      var end = start
      while end < count {
        node = trie.child(of: node, bytes[range.lowerBound + end])
        guard node >= 0 else { break }
        end += 1
        let token = trie.token(at: node)
        guard token >= 0 else { continue }
        frontier = max(frontier, end)
        let score = before + scores[Int(token)]
        if lattice.starts[end] < 0 || score > lattice.scores[end] {
          lattice.scores[end] = score
          lattice.starts[end] = Int32(start)
          lattice.tokens[end] = token
        }
        if end - start == character { hasCharacter = true }
      }
      if !hasCharacter {
        let end = start + character
        frontier = max(frontier, end)
        let score = before + unknownScore
        if lattice.starts[end] < 0 || score > lattice.scores[end] {
          lattice.scores[end] = score
          lattice.starts[end] = Int32(start)
          lattice.tokens[end] = -1
        }
      }
      start += character
    }
  }

  /// The bytes of the character that starts with `byte`.
  @inline(__always)
  private static func length(of byte: UInt8) -> Int {
    byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
  }
}
