public import NibbleCheckpoints

/// A model's chat template: the Jinja program that turns a conversation into the text of a prompt.
///
/// This is the subset of Jinja 2 that templates on the Hugging Face hub use, run as `transformers`
/// runs it: an immutable sandbox, `trim_blocks` and `lstrip_blocks` on, no escaping, `break` and
/// `continue`, `{% generation %}` blocks (which pass through), `raise_exception`, `strftime_now`,
/// and a `tojson` that leaves non-ASCII text alone. Undefined values print as nothing, and numbers,
/// lists and dictionaries as Python prints them.
///
/// A template can do nothing but produce text. ``TemplateLimits`` bound its time, memory and
/// nesting.
///
/// The result already holds the markers of the beginning of text that the model wants: encode it
/// without adding special tokens.
public struct ChatTemplate: Sendable {
  /// The template's text as given.
  public let source: String
  private let statements: [TemplateStatement]
  private let limits: TemplateLimits

  /// Reads a template.
  ///
  /// - Throws: ``ModelError`` with code `template` and the line number when the source is not
  ///   well formed or uses a statement that is not supported. Unknown filters, tests and methods
  ///   are only refused when they are reached.
  public init(source: String) throws(ModelError) {
    try self.init(source: source, limits: TemplateLimits())
  }

  package init(source: String, limits: TemplateLimits) throws(ModelError) {
    var lexer = try TemplateLexer(source: source, limits: limits)
    var parser = TemplateParser(tokens: try lexer.tokens(), limits: limits)
    self.source = source
    self.statements = try parser.template()
    self.limits = limits
  }

  /// Runs the template.
  ///
  /// - Parameter variables: what the template sees by name.
  /// - Returns: the text of the prompt.
  /// - Throws: ``ModelError`` with code `template` and the line number when the template refuses
  ///   the input (`raise_exception`), uses what is not supported, or goes beyond its limits.
  public func render(_ variables: JSONObject) throws(ModelError) -> String {
    try render(variables, date: nil)
  }

  /// Runs the template at a given date.
  ///
  /// - Parameters:
  ///   - variables: what the template sees by name.
  ///   - date: what `strftime_now` prints; nil for the present local time.
  /// - Returns: the text of the prompt.
  /// - Throws: ``ModelError``, as ``render(_:)`` does.
  public func render(_ variables: JSONObject, date: TemplateDate?) throws(ModelError) -> String {
    let evaluator = try TemplateEvaluator(variables: variables, limits: limits, date: date)
    return try evaluator.render(statements)
  }

  /// Runs the template over a conversation.
  ///
  /// - Parameters:
  ///   - messages: the conversation so far.
  ///   - addGenerationPrompt: whether the text ends with the opening of the assistant's turn.
  ///   - specialTokens: the tokenizer's special tokens by name, such as `bos_token`.
  ///   - tools: JSON schemas of the tools that the model may call; nil for none.
  ///   - extra: further variables, such as `enable_thinking`; these win over the others.
  /// - Returns: the text of the prompt.
  /// - Throws: ``ModelError``, as ``render(_:)`` does.
  public func render(
    messages: [ChatMessage], addGenerationPrompt: Bool, specialTokens: [String: String],
    tools: JSONValue? = nil, extra: JSONObject = JSONObject()
  ) throws(ModelError) -> String {
    try render(
      messages: messages, addGenerationPrompt: addGenerationPrompt, specialTokens: specialTokens,
      tools: tools, extra: extra, date: nil)
  }

  /// Runs the template over a conversation at a given date.
  ///
  /// - Parameters:
  ///   - messages: the conversation so far.
  ///   - addGenerationPrompt: whether the text ends with the opening of the assistant's turn.
  ///   - specialTokens: the tokenizer's special tokens by name, such as `bos_token`.
  ///   - tools: JSON schemas of the tools that the model may call; nil for none.
  ///   - extra: further variables, such as `enable_thinking`; these win over the others.
  ///   - date: what `strftime_now` prints; nil for the present local time.
  /// - Returns: the text of the prompt.
  /// - Throws: ``ModelError``, as ``render(_:)`` does.
  public func render(
    messages: [ChatMessage], addGenerationPrompt: Bool, specialTokens: [String: String],
    tools: JSONValue?, extra: JSONObject, date: TemplateDate?
  ) throws(ModelError) -> String {
    var variables = JSONObject()
    for name in specialTokens.keys.sorted() {
      variables[name] = specialTokens[name].map { .string($0) }
    }
    variables["messages"] = .array(messages.map { .object($0.templateMembers) })
    variables["tools"] = tools ?? .null
    variables["documents"] = .null
    variables["add_generation_prompt"] = .bool(addGenerationPrompt)
    for name in extra.keys { variables[name] = extra[name] }
    return try render(variables, date: date)
  }
}
