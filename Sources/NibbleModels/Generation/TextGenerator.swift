/// Generates text token by token.
public struct TextGenerator {
  /// Why generation ended.
  public enum Finish: String, Sendable {
    /// The model produced an end token.
    case stop
    /// The asked number of tokens was reached.
    case length
    /// The context is full.
    case context
  }

  /// Why generation ended; nil while it goes on.
  public private(set) var finish: Finish?
  /// Tokens generated so far, without an end token.
  public private(set) var tokenCount = 0

  private let session: InferenceSession
  private let tokenLimit: Int
  private let endTokens: Set<Int>
  private var sampler: Sampler
  private var decoder: StreamingDecoder
  private var pending: [Int]

  /// - Parameters:
  ///   - session: the tokens so far; `prompt` is run after them.
  ///   - prompt: at least one token.
  ///   - options: how tokens are drawn.
  ///   - tokenLimit: the most tokens to generate.
  /// - Throws: ``ModelError/Code/request`` for an empty prompt or senseless options.
  public init(
    _ session: InferenceSession, prompt: [Int], options: SamplingOptions, tokenLimit: Int
  ) throws(ModelError) {
    guard !prompt.isEmpty else { throw ModelError(.request, "the prompt has no tokens") }
    self.session = session
    self.tokenLimit = tokenLimit
    pending = prompt
    endTokens = Set(session.model.tokenizer.definition.endTokenIDs)
    sampler = try Sampler(options)
    decoder = StreamingDecoder(session.model.tokenizer)
  }

  /// The next piece of text, possibly empty while a character is incomplete; nil when generation has ended.
  ///
  /// - Throws: ``ModelError/Code/request`` when the prompt does not fit the context.
  public mutating func next() throws(ModelError) -> String? {
    guard finish == nil else { return nil }
    guard tokenCount < tokenLimit else { return end(.length) }
    if tokenCount > 0, session.tokens.count >= session.contextCount { return end(.context) }
    let logits = try session.run(pending)
    let history = session.tokens
    let token = logits.withRow(0) { sampler.next($0, history: history) }
    pending = [token]
    if endTokens.contains(token) { return end(.stop) }
    tokenCount += 1
    return decoder.append(token)
  }

  /// Hands out what the decoder held back, then ends.
  private mutating func end(_ reason: Finish) -> String? {
    finish = reason
    let rest = decoder.finish()
    return rest.isEmpty ? nil : rest
  }
}
