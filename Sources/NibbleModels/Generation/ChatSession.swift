/// A conversation with a model through its own chat template.
///
/// Each turn renders the whole conversation; positions that agree with the turn before are not run again.
public final class ChatSession {
  /// The conversation so far.
  public private(set) var messages: [ChatMessage]
  /// What guessing ahead did in the last answer.
  public private(set) var speculation = SpeculationCounts()
  private let session: InferenceSession
  private let template: ChatTemplate

  /// - Throws: ``ModelError/Code/template`` when the model has no usable template.
  public init(_ session: InferenceSession, system: String? = nil) throws(ModelError) {
    self.session = session
    template = try session.model.chatTemplate()
    messages = system.map { [ChatMessage(role: "system", content: $0)] } ?? []
  }

  /// Adds the user's message, generates the answer, and adds that.
  ///
  /// - Parameters:
  ///   - text: the user's message.
  ///   - options: how tokens are drawn.
  ///   - tokenLimit: the most tokens of the answer.
  ///   - guessLimit: the most tokens to guess ahead, as for ``TextGenerator``; 0 = none.
  ///   - onText: called with each piece of text; returns false to stop early.
  /// - Returns: why the answer ended; nil when `onText` stopped it.
  /// - Throws: ``ModelError`` when the template refuses the conversation or it does not fit the
  ///   context; the message is then not kept.
  public func send(
    _ text: String, options: SamplingOptions, tokenLimit: Int, guessLimit: Int = 0,
    onText: (String) -> Bool
  ) throws(ModelError) -> TextGenerator.Finish? {
    messages.append(ChatMessage(role: "user", content: text))
    do {
      return try answer(
        options: options, tokenLimit: tokenLimit, guessLimit: guessLimit, onText: onText)
    } catch {
      messages.removeLast()
      throw error
    }
  }

  private func answer(
    options: SamplingOptions, tokenLimit: Int, guessLimit: Int, onText: (String) -> Bool
  ) throws(ModelError) -> TextGenerator.Finish? {
    let tokenizer = session.model.tokenizer
    let prompt = try template.render(
      messages: messages, addGenerationPrompt: true,
      specialTokens: tokenizer.definition.specialTokens)
    let tokens = tokenizer.encode(prompt, addSpecialTokens: false)
    let shared = zip(tokens, session.tokens).prefix { $0 == $1 }.count
    session.truncate(to: min(shared, tokens.count - 1))
    var generator = try TextGenerator(
      session, prompt: Array(tokens.dropFirst(session.tokens.count)), options: options,
      tokenLimit: tokenLimit, guessLimit: guessLimit)
    var answer = ""
    while let piece = try generator.next() {
      answer += piece
      if !onText(piece) { break }
    }
    speculation = generator.speculation
    messages.append(ChatMessage(role: "assistant", content: answer))
    return generator.finish
  }
}
