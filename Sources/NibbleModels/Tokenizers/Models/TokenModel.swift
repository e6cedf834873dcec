/// The model of a tokenizer: what turns a piece of text into tokens.
enum TokenModel: Sendable {
  case bytePair(BytePairModel)
  case unigram(UnigramModel<Double>)
  case unigramInSinglePrecision(UnigramModel<Float>)

  init(_ definition: TokenizerDefinition) {
    guard let unigram = definition.unigram else {
      self = .bytePair(BytePairModel(definition))
      return
    }
    self =
      unigram.sumsInSinglePrecision
      ? .unigramInSinglePrecision(
        UnigramModel(definition, scores: unigram.scores, largestSum: 100_000))
      : .unigram(UnigramModel(definition, scores: unigram.scores))
  }

  /// Scratch memory of one encoding.
  struct Scratch {
    fileprivate var merger = PairMerger()
    fileprivate var lattice = UnigramModel<Double>.Lattice()
    fileprivate var singleLattice = UnigramModel<Float>.Lattice()
  }

  /// Appends the tokens of the piece `bytes[range]` of valid UTF-8.
  func encode(
    _ bytes: Span<UInt8>, _ range: Range<Int>, with scratch: inout Scratch,
    into tokens: inout [Int]
  ) {
    switch self {
    case .bytePair(let model):
      model.encode(bytes, range, with: &scratch.merger, into: &tokens)
    case .unigram(let model):
      model.encode(bytes, range, with: &scratch.lattice, into: &tokens)
    case .unigramInSinglePrecision(let model):
      model.encode(bytes, range, with: &scratch.singleLattice, into: &tokens)
    }
  }
}
