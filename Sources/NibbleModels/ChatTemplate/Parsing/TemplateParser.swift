/// Builds the tree of a template from its tokens: the cursor over the tokens and the sequence of
/// statements.
///
/// A recursive-descent parser of Jinja's grammar. Nesting is counted, so that hostile input cannot
/// exhaust the stack.
struct TemplateParser {
  private let tokens: [PositionedToken]
  let limits: TemplateLimits
  private var position = 0
  private var nesting = 0
  /// How many loops of the same macro surround the statement: `break` needs one.
  var loopNesting = 0
  /// Those of `caller`, `kwargs` and `varargs` that were read since the present macro began.
  var specialNames: Set<String> = []

  init(tokens: [PositionedToken], limits: TemplateLimits) {
    self.tokens = tokens
    self.limits = limits
  }

  // MARK: The cursor

  var current: TemplateToken { position < tokens.count ? tokens[position].token : .end }
  var line: Int { position < tokens.count ? tokens[position].line : tokens.last?.line ?? 1 }
  var following: TemplateToken {
    position + 1 < tokens.count ? tokens[position + 1].token : .end
  }

  func fault(_ message: String) -> ModelError { templateFault(message, line: line) }

  mutating func advance() { position += 1 }

  mutating func skip(_ symbol: TemplateSymbol) -> Bool {
    guard current == .symbol(symbol) else { return false }
    advance()
    return true
  }

  mutating func skip(_ name: String) -> Bool {
    guard current == .name(name) else { return false }
    advance()
    return true
  }

  mutating func expect(_ token: TemplateToken) throws(ModelError) {
    guard current == token else {
      throw fault("\(token.words) should stand where \(current.words) stands")
    }
    advance()
  }

  mutating func expectName() throws(ModelError) -> String {
    guard case .name(let name) = current else {
      throw fault("a name should stand where \(current.words) stands")
    }
    advance()
    return name
  }

  /// Counts one level of nesting; ``leave()`` takes it back.
  mutating func enter() throws(ModelError) {
    nesting += 1
    guard nesting <= limits.nesting else {
      throw fault("nested deeper than \(limits.nesting) levels")
    }
  }

  mutating func leave() { nesting -= 1 }

  // MARK: Statements

  /// The whole template.
  mutating func template() throws(ModelError) -> [TemplateStatement] {
    try statements(until: [])
  }

  /// Statements up to a tag that begins with one of `ends`, whose name is the current token
  /// afterwards.
  mutating func statements(until ends: [String]) throws(ModelError) -> [TemplateStatement] {
    try enter()
    defer { leave() }
    var result: [TemplateStatement] = []
    while true {
      switch current {
      case .text(let text):
        result.append(.text(text))
        advance()
      case .variableBegin:
        advance()
        result.append(.output(try tuple()))
        try expect(.variableEnd)
      case .blockBegin:
        advance()
        if case .name(let name) = current, ends.contains(name) { return result }
        if let statement = try statement() { result.append(statement) }
        try expect(.blockEnd)
      default:
        guard ends.isEmpty else {
          let names = ends.map { "'{% \($0) %}'" }.joined(separator: " or ")
          throw fault("the template ends where \(names) should stand")
        }
        return result
      }
    }
  }

  /// The body of a statement, from the end of its first tag to the end of the tag `end`.
  mutating func body(_ end: String) throws(ModelError) -> [TemplateStatement] {
    try beginBody()
    let result = try statements(until: [end])
    advance()
    return result
  }

  mutating func beginBody() throws(ModelError) {
    _ = skip(.colon)
    try expect(.blockEnd)
  }
}
