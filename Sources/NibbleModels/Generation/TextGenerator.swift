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
  public var finish: Finish? { text.finish }
  /// Tokens generated so far, without an end token.
  public var tokenCount: Int { text.tokenCount }
  /// What guessing ahead did so far.
  public var speculation: SpeculationCounts { text.speculation }

  private var text: Continuation

  /// - Parameters:
  ///   - session: the tokens so far; `prompt` is run after them.
  ///   - prompt: at least one token.
  ///   - options: how tokens are drawn.
  ///   - tokenLimit: the most tokens to generate.
  ///   - guessLimit: the most tokens to guess ahead from repetitions in the text (Saxena 2023, "Prompt Lookup Decoding"), so
  ///     that one pass may give several; 0 = none. The text is the same for any number.
  /// - Throws: ``ModelError/Code/request`` for an empty prompt or senseless options.
  public init(
    _ session: InferenceSession, prompt: [Int], options: SamplingOptions, tokenLimit: Int,
    guessLimit: Int = 0
  ) throws(ModelError) {
    guard !prompt.isEmpty else { throw ModelError(.request, "the prompt has no tokens") }
    text = try Continuation(
      session, prompt: prompt, options: options, tokenLimit: tokenLimit, guessLimit: guessLimit)
  }

  /// The next piece of text, possibly empty while a character is incomplete; nil when generation has ended.
  ///
  /// - Throws: ``ModelError/Code/request`` when the prompt does not fit the context.
  public mutating func next() throws(ModelError) -> String? {
    guard finish == nil else { return nil }
    if let limit = text.reachedLimit { return text.end(limit) }
    if !text.confirm() { try text.run() }
    return text.draw()
  }
}
