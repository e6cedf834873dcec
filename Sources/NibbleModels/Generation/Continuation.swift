/// A text that is being continued: what its next pass has to run, and what is drawn from the logits that come back.
///
/// Guesses never change the text. Each token is drawn from the model's own logits, with the random number that its
/// position takes; where it is what was guessed, the logits after it are there already.
struct Continuation {
  let session: InferenceSession
  /// Why the text ended; nil while it goes on.
  private(set) var finish: TextGenerator.Finish?
  /// Tokens drawn so far, without an end token.
  private(set) var tokenCount = 0
  private(set) var speculation = SpeculationCounts()
  /// What the last pass gave; nil before the first and after the end.
  private(set) var logits: InferenceSession.StepLogits?

  private let tokenLimit: Int
  private let endTokens: Set<Int>
  private var sampler: Sampler
  private var decoder: StreamingDecoder
  /// What has to be run before the next token is drawn: the prompt, later the last token.
  private var pending: [Int]
  private var lookup: PromptLookup?
  private var guesses: [Int] = []
  /// Guesses that were right.
  private var rightCount = 0

  /// - Parameters:
  ///   - session: the tokens so far.
  ///   - prompt: what is run after them; empty where the logits of a prompt will be given.
  ///   - options: how tokens are drawn.
  ///   - tokenLimit: the most tokens to draw.
  ///   - guessLimit: the most tokens to guess ahead; 0 = none.
  /// - Throws: ``ModelError/Code/request`` for senseless options.
  init(
    _ session: InferenceSession, prompt: [Int], options: SamplingOptions, tokenLimit: Int,
    guessLimit: Int
  ) throws(ModelError) {
    self.session = session
    self.tokenLimit = tokenLimit
    pending = prompt
    endTokens = Set(session.model.tokenizer.definition.endTokenIDs)
    sampler = try Sampler(options)
    decoder = StreamingDecoder(session.model.tokenizer)
    lookup = guessLimit > 0 ? PromptLookup(limit: guessLimit) : nil
  }

  /// The limit that the text has reached.
  var reachedLimit: TextGenerator.Finish? {
    if tokenCount >= tokenLimit { return .length }
    return tokenCount > 0 && session.tokens.count >= session.contextCount ? .context : nil
  }

  /// Whether the last token drawn was guessed, so that the next can be drawn without a pass.
  mutating func confirm() -> Bool {
    guard rightCount < guesses.count, pending == [guesses[rightCount]] else { return false }
    session.accept(guesses[rightCount])
    rightCount += 1
    speculation.acceptedCount += 1
    return true
  }

  /// The tokens for the next pass: the one that comes next, and guesses.
  mutating func nextTokens() -> [Int] {
    if !guesses.isEmpty { lookup?.learn(rightCount: rightCount, of: guesses.count) }
    guesses = []
    if let lookup, logits != nil {
      let count = session.guessCount(min(lookup.guessCount, tokenLimit - tokenCount - 1))
      guesses = lookup.guesses(
        after: session.tokens + pending, count: count, endTokens: endTokens)
    }
    return pending + guesses
  }

  /// Takes what the pass gave for ``nextTokens()``.
  mutating func receive(_ result: InferenceSession.StepLogits) {
    if logits != nil { speculation.passCount += 1 }
    speculation.guessedCount += guesses.count
    logits = result
    rightCount = 0
  }

  /// Runs what has to be run, in a pass of this text alone.
  ///
  /// - Throws: ``ModelError/Code/request`` when the prompt does not fit the context.
  mutating func run() throws(ModelError) {
    let tokens = nextTokens()
    if guesses.isEmpty {
      receive(InferenceSession.StepLogits(values: try session.run(tokens), firstRow: 0))
    } else {
      let step = InferenceSession.Step(session: session, tokens: tokens)
      for result in try InferenceSession.run([step]) { receive(result) }
    }
  }

  /// Draws the next token.
  ///
  /// - Returns: its text, possibly empty while a character is incomplete; nil when it ended the text.
  mutating func draw() -> String? {
    guard let logits else { preconditionFailure("nothing was run") }
    let history = session.tokens
    let token = logits.values.withRow(logits.firstRow + rightCount) {
      sampler.next($0, history: history)
    }
    pending = [token]
    if endTokens.contains(token) { return end(.stop) }
    tokenCount += 1
    return decoder.append(token)
  }

  /// Ends the text.
  ///
  /// - Returns: what the decoder held back.
  mutating func end(_ reason: TextGenerator.Finish) -> String? {
    finish = reason
    logits = nil
    let rest = decoder.finish()
    return rest.isEmpty ? nil : rest
  }
}
