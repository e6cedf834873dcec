internal import NibbleCheckpoints

/// The GGUF form of Unigram tokenizers, which llama.cpp calls `t5`.
extension TokenizerDefinition {
  /// Reads scores, the table of replacements and what is done to spaces.
  mutating func setUpUnigram(_ reader: TokenizerKeys) throws(ModelError) {
    guard let scores = try reader.numbers("scores") else { throw reader.missing("scores") }
    guard scores.count == tokens.count else {
      throw reader.fault("scores", "\(scores.count) entries for \(tokens.count) tokens")
    }
    guard scores.allSatisfy(\.isFinite) else { throw reader.fault("scores", "not a number") }
    unigram = Unigram(scores: scores.map { Double($0) })
    fusesUnknown = true
    emitsUnknown = true
    fallsBackToBytes = kinds.contains(.byte)
    if let bytes = try reader.bytes("precompiled_charsmap"), !bytes.isEmpty {
      normalizers.append(.characterMap(bytes, byGraphemes: false))
    }
    let removesExtraSpaces = try reader.flag("remove_extra_whitespaces") ?? false
    if removesExtraSpaces { normalizers.append(.removingExtraSpaces) }
    let addsSpace = try reader.flag("add_space_prefix") ?? true
    if addsSpace { normalizers.append(.prepend(Self.spaceMark)) }
    normalizers.append(.replace(.literal(" "), with: Self.spaceMark))
    decoders = [.replace(.literal(Self.spaceMark), with: " "), .byteFallback, .fuse]
    if addsSpace || removesExtraSpaces {
      let count = removesExtraSpaces ? Self.allSpaces : 1
      decoders.append(.strip(character: " ", start: count, stop: 0))
    }
  }

  /// Writes the model's own keys.
  func writeUnigram(_ unigram: Unigram, padding: Int, to metadata: inout Metadata)
    throws(ModelError)
  {
    let steps = try unigramSteps()
    let missing = tokens.count + padding - unigram.scores.count
    metadata["tokenizer.ggml.model"] = .string("t5")
    metadata["tokenizer.ggml.pre"] = .string("default")
    metadata["tokenizer.ggml.scores"] = .float32s(
      unigram.scores.map { Float($0) } + [Float](repeating: -1000, count: missing))
    metadata["tokenizer.ggml.add_space_prefix"] = .bool(steps.addsSpace)
    metadata["tokenizer.ggml.remove_extra_whitespaces"] = .bool(steps.removesExtraSpaces)
    if !steps.characterMap.isEmpty {
      metadata["tokenizer.ggml.precompiled_charsmap"] = .array(
        element: .uint8, steps.characterMap.map { .uint8($0) })
    }
  }

  /// What the steps do in SentencePiece's terms.
  ///
  /// - Throws: ``ModelError/Code/unsupported`` for steps that those terms do not cover.
  private func unigramSteps() throws(ModelError)
    -> (characterMap: [UInt8], addsSpace: Bool, removesExtraSpaces: Bool)
  {
    var normalizers = normalizers[...]
    var map: [UInt8] = []
    if case .characterMap(let table, _)? = normalizers.first {
      map = table
      normalizers.removeFirst()
    }
    let mark = Self.spaceMark
    let escapes = Normalizer.replace(.literal(" "), with: mark)
    // Our own form, and the two in which the `tokenizers` package has it.
    var removes = false
    if normalizers.first == .removingExtraSpaces {
      removes = true
      normalizers.removeFirst()
    }
    if preTokenizers.isEmpty, Array(normalizers) == [.prepend(mark), escapes] {
      return (map, true, removes)
    }
    if preTokenizers.isEmpty, Array(normalizers) == [escapes] { return (map, false, removes) }
    normalizers.removeAll {
      let collapses = [.replace(.regex(" {2,}"), with: " "), .replace(.regex(" {2,}"), with: mark)]
        .contains($0)
      if collapses || $0 == .strip(left: false, right: true) { removes = true }
      return collapses || $0 == .strip(left: false, right: true)
        || $0 == .strip(left: true, right: true)
    }
    var cuts = preTokenizers
    if cuts.first == .whitespaceSplit {
      removes = true
      cuts.removeFirst()
    }
    if normalizers.isEmpty, cuts.count == 1,
      case .metaspace(mark, let prepending, _) = cuts[0]
    {
      return (map, prepending != .never, removes)
    }
    throw .unsupportedInGGUF(self)
  }
}
