/// Byte-pair encoding of one piece of text.
///
/// A byte-level model starts from bytes; the others start from characters, and spell a character that is not in the
/// vocabulary as byte tokens `<0xHH>` or as the unknown token (Sennrich et al. 2016; Kudo and Richardson 2018).
struct BytePairModel: Sendable {
  private let isByteLevel: Bool
  /// The token of each byte: of a byte-level alphabet, or `<0xHH>`; -1 where there is none.
  private let byteTokens: [Int32]
  /// Whole tokens by their bytes; for a byte-level model only where pieces may be tokens without merges.
  private let index: TokenIndex?
  private let merges: MergeTable
  private let unknown: Int32?
  private let fusesUnknown: Bool
  private let fallsBackToBytes: Bool
  private let ignoresMerges: Bool

  init(_ definition: TokenizerDefinition) {
    isByteLevel = definition.isByteLevel
    merges = MergeTable(definition.merges, priorities: definition.mergePriorities)
    unknown = definition.emitsUnknown ? definition.unknownTokenID.map { Int32($0) } : nil
    fusesUnknown = definition.fusesUnknown
    ignoresMerges = definition.ignoresMerges
    fallsBackToBytes = definition.fallsBackToBytes
    let kinds = definition.kinds
    let isPart = { (id: Int) in kinds[id] != .control && kinds[id] != .unused }
    var byteTokens = [Int32](repeating: -1, count: 256)
    if definition.isByteLevel {
      var index = TokenIndex(minimumCapacity: ignoresMerges ? definition.tokens.count : 0)
      for (id, token) in definition.tokens.enumerated() where isPart(id) {
        guard let bytes = ByteAlphabet.bytes(of: token) else { continue }
        if bytes.count == 1 { byteTokens[Int(bytes[0])] = Int32(id) }
        if ignoresMerges { _ = index.insert(bytes, Int32(id)) }
      }
      self.index = ignoresMerges ? index : nil
    } else {
      let index = TokenIndex(definition.tokens, where: isPart)
      byteTokens = Self.byteTokens(definition.tokens, kinds)
      self.index = index
    }
    self.byteTokens = byteTokens
  }

  /// The token `<0xHH>` of each byte, -1 where there is none.
  static func byteTokens(_ tokens: [String], _ kinds: [TokenKind]) -> [Int32] {
    var result = [Int32](repeating: -1, count: 256)
    for (id, token) in tokens.enumerated() where kinds[id] != .control && kinds[id] != .unused {
      if let byte = TokenKind.byte(ofTokenText: token), result[Int(byte)] < 0 {
        result[Int(byte)] = Int32(id)
      }
    }
    return result
  }

  /// Appends the tokens of the piece `bytes[range]`.
  func encode(
    _ bytes: Span<UInt8>, _ range: Range<Int>, with merger: inout PairMerger,
    into tokens: inout [Int]
  ) {
    if ignoresMerges, let id = index?.find(bytes, range) {
      tokens.append(Int(id))
      return
    }
    merger.symbols.removeAll(keepingCapacity: true)
    if isByteLevel {
      startFromBytes(bytes, range, &merger.symbols)
    } else {
      startFromCharacters(bytes, range, &merger.symbols)
    }
    merger.merge(with: merges)
    for symbol in merger.symbols { tokens.append(Int(symbol)) }
  }

  private func startFromBytes(
    _ bytes: Span<UInt8>, _ range: Range<Int>, _ symbols: inout [Int32]
  ) {
    var unknowns = 0
    for place in range {
      let token = byteTokens[Int(bytes[place])]
      if token >= 0 {
        flush(&unknowns, &symbols)
        symbols.append(token)
      } else {
        addUnknown(&unknowns, &symbols)
      }
    }
    flush(&unknowns, &symbols)
  }

  private func startFromCharacters(
    _ bytes: Span<UInt8>, _ range: Range<Int>, _ symbols: inout [Int32]
  ) {
    var unknowns = 0
    var place = range.lowerBound
    while place < range.upperBound {
      let end = place + bytes.scalar(at: place).count
      if let token = index?.find(bytes, place..<end) {
        flush(&unknowns, &symbols)
        symbols.append(token)
      } else if fallsBackToBytes, (place..<end).allSatisfy({ byteTokens[Int(bytes[$0])] >= 0 }) {
        for index in place..<end { symbols.append(byteTokens[Int(bytes[index])]) }
      } else {
        addUnknown(&unknowns, &symbols)
      }
      place = end
    }
    flush(&unknowns, &symbols)
  }

  private func addUnknown(_ unknowns: inout Int, _ symbols: inout [Int32]) {
    if !fusesUnknown { flush(&unknowns, &symbols) }
    unknowns += 1
  }

  /// Writes the unknown token that pending characters stand for; without such a token they are dropped.
  private func flush(_ unknowns: inout Int, _ symbols: inout [Int32]) {
    guard unknowns > 0 else { return }
    unknowns = 0
    if let unknown { symbols.append(unknown) }
  }
}
