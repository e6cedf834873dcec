public import NibbleTensors

/// Continues several texts at once. A pass runs the next token of each text that goes on, so that weights are read from
/// memory once for all of them; what prompts have in common is run once.
///
/// Each text is the one that ``TextGenerator`` gives for its prompt and options alone.
public struct BatchGenerator {
  /// A text to continue.
  public struct Request: Sendable {
    /// At least one token.
    public var prompt: [Int]
    /// How tokens are drawn.
    public var options: SamplingOptions
    /// The most tokens to generate.
    public var tokenLimit: Int

    public init(prompt: [Int], options: SamplingOptions, tokenLimit: Int) {
      self.prompt = prompt
      self.options = options
      self.tokenLimit = tokenLimit
    }
  }

  /// Some more of one text.
  public struct Piece: Sendable, Equatable {
    /// The place of the request.
    public let index: Int
    /// What follows, possibly empty while a character is incomplete.
    public let text: String
  }

  /// For each text, why it ended; nil while it goes on.
  public var finishes: [TextGenerator.Finish?] {
    texts.isEmpty ? requests.map { _ in nil } : texts.map(\.finish)
  }
  /// For each text, the tokens generated so far, without an end token.
  public var tokenCounts: [Int] {
    texts.isEmpty ? requests.map { _ in 0 } : texts.map(\.tokenCount)
  }
  /// Bytes reserved for the keys and values of all texts, once the prompts have been run.
  public var cacheByteCount: Int { texts.reduce(0) { $0 + $1.session.cacheByteCount } }
  /// Tokens of prompts that were not run again, since another prompt begins with them.
  public private(set) var sharedTokenCount = 0
  /// Passes through the model after the prompts.
  public private(set) var passCount = 0
  /// What guessing ahead did in all texts together; a pass that several share counts for each of them.
  public var speculation: SpeculationCounts {
    texts.reduce(into: SpeculationCounts()) { sum, text in
      sum.passCount += text.speculation.passCount
      sum.guessedCount += text.speculation.guessedCount
      sum.acceptedCount += text.speculation.acceptedCount
    }
  }

  private let model: LanguageModel
  private let requests: [Request]
  private let pool: WorkerPool
  private let cacheType: CacheType
  private let contextLimit: Int
  private let guessLimit: Int
  /// Empty until the prompts have been run.
  private var texts: [Continuation] = []

  /// - Parameters:
  ///   - model: whose weights to use.
  ///   - requests: the texts.
  ///   - pool: the threads that share the work. Results do not depend on their number.
  ///   - cacheType: the format of the keys and values that are kept.
  ///   - contextLimit: positions that each text may take; nil = those that the model was trained for.
  ///   - guessLimit: the most tokens of a text to guess ahead, as for ``TextGenerator``; 0 = none.
  /// - Throws: ``ModelError/Code/request``, with the number of the prompt, for one that is empty or does not fit the context,
  ///   and for senseless options.
  public init(
    _ model: LanguageModel, _ requests: [Request], pool: WorkerPool,
    cacheType: CacheType = .float16, contextLimit: Int? = nil, guessLimit: Int = 0
  ) throws(ModelError) {
    let contextLimit = contextLimit ?? model.config.contextCount
    guard !requests.isEmpty else { throw ModelError(.request, "there are no prompts") }
    for (index, request) in requests.enumerated() {
      let count = request.prompt.count
      guard count > 0 else { throw ModelError(.request, "prompt \(index + 1) has no tokens") }
      guard count <= contextLimit else {
        throw ModelError(
          .request,
          "prompt \(index + 1) has \(count) tokens, more than the context of \(contextLimit)")
      }
      guard request.tokenLimit > 0 else {
        throw ModelError(.request, "prompt \(index + 1) is to be continued by no token")
      }
      _ = try request.options.validated()
    }
    self.model = model
    self.requests = requests
    self.pool = pool
    self.cacheType = cacheType
    self.contextLimit = contextLimit
    self.guessLimit = guessLimit
  }

  /// Runs the prompts, or one more pass, and returns what it added; nil when all texts have ended.
  ///
  /// - Throws: ``ModelError/Code/request`` when a token is not in the vocabulary.
  public mutating func next() throws(ModelError) -> [Piece]? {
    if texts.isEmpty {
      try runPrompts()
      return draw(Array(texts.indices))
    }
    let running = texts.indices.filter { texts[$0].finish == nil }
    guard !running.isEmpty else { return nil }
    var steps: [InferenceSession.Step] = []
    for index in running {
      let tokens = texts[index].nextTokens()
      steps.append(InferenceSession.Step(session: texts[index].session, tokens: tokens))
    }
    let results = try InferenceSession.run(steps)
    for (index, result) in zip(running, results) { texts[index].receive(result) }
    passCount += 1
    return draw(running)
  }

  /// Draws from the logits of some texts, and goes on with each as long as what is drawn was guessed.
  private mutating func draw(_ indices: [Int]) -> [Piece] {
    var pieces: [Piece] = []
    for index in indices {
      repeat {
        if let text = texts[index].draw() { pieces.append(Piece(index: index, text: text)) }
        if texts[index].finish == nil, let limit = texts[index].reachedLimit,
          let text = texts[index].end(limit)
        {
          pieces.append(Piece(index: index, text: text))
        }
      } while texts[index].finish == nil && texts[index].confirm()
    }
    return pieces
  }

  /// Runs each prompt, but what it shares with one before it.
  private mutating func runPrompts() throws(ModelError) {
    var begun: [Continuation] = []
    var sharedCount = 0
    for (index, request) in requests.enumerated() {
      let count = request.prompt.count
      // Not a sum with the limit, which may be as large as integers are.
      let isLimited = request.tokenLimit < contextLimit - count
      let capacity = isLimited ? count + request.tokenLimit : contextLimit
      var source: (index: Int, count: Int) = (0, 0)
      for other in begun.indices {
        let shared = sharedCountOfPrompts(index, other, begun[other].session)
        if shared > source.count { source = (other, shared) }
      }
      let session =
        begun.isEmpty
        ? InferenceSession(model, contextCount: capacity, pool: pool, cacheType: cacheType)
        : begun[source.index].session.fork(keeping: source.count, contextCount: capacity)
      var text = try Continuation(
        session, prompt: Array(request.prompt.dropFirst(source.count)), options: request.options,
        tokenLimit: request.tokenLimit, guessLimit: guessLimit)
      if source.count == count, let logits = begun[source.index].logits {
        text.receive(logits)
      } else {
        try text.run()
      }
      begun.append(text)
      sharedCount += source.count
    }
    texts = begun
    sharedTokenCount = sharedCount
  }

  /// How many tokens prompt `index` can take over from prompt `other`: all of the same prompt, else those at the start
  /// that leave the same bits in both.
  private func sharedCountOfPrompts(
    _ index: Int, _ other: Int, _ session: InferenceSession
  ) -> Int {
    let (prompt, begun) = (requests[index].prompt, requests[other].prompt)
    if prompt == begun { return prompt.count }
    let variants = model.config.ropeVariants(sequenceCount: prompt.count)
    guard model.config.ropeVariants(sequenceCount: begun.count) == variants else { return 0 }
    let common = zip(prompt, begun).prefix { $0 == $1 }.count
    return session.sharedCount(min(common, prompt.count - 1))
  }
}
