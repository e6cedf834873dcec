extension TemplateParser {
  /// The statement whose tag has just begun; nil for those without effect.
  mutating func statement() throws(ModelError) -> TemplateStatement? {
    let line = line
    guard case .name(let keyword) = current else {
      throw fault("a statement should begin where \(current.words) stands")
    }
    advance()
    switch keyword {
    case "if": return try condition()
    case "for": return .loop(try loop(line: line))
    case "set": return try assignment(line: line)
    case "macro": return .macro(try macro(line: line))
    case "call": return try callBlock(line: line)
    case "filter": return try filterBlock()
    case "with": return try with(line: line)
    case "generation":
      return .generation(
        try isolated { parser throws(ModelError) in try parser.body("endgeneration") })
    case "do": return .evaluate(try tuple())
    case "print": return try printed(line: line)
    case "break", "continue":
      guard loopNesting > 0 else { throw fault("'\(keyword)' outside of a loop") }
      return keyword == "break" ? .breakLoop : .continueLoop
    default:
      throw templateFault("the statement '\(keyword.prefix(60))' is not supported", line: line)
    }
  }

  private mutating func condition() throws(ModelError) -> TemplateStatement {
    var branches: [(test: TemplateExpression, body: [TemplateStatement])] = []
    while true {
      let test = try tuple(conditional: false)
      try beginBody()
      branches.append((test, try statements(until: ["elif", "else", "endif"])))
      if skip("elif") { continue }
      let hasElse = skip("else")
      let otherwise = hasElse ? try body("endif") : []
      if !hasElse { advance() }
      return .condition(branches, otherwise: otherwise)
    }
  }

  private mutating func loop(line: Int) throws(ModelError) -> TemplateLoop {
    let target = try target(until: "in")
    try expect(.name("in"))
    let items = try tuple(conditional: false)
    let filter = skip("if") ? try expression() : nil
    guard current != .name("recursive") else { throw fault("recursive loops are not supported") }
    try beginBody()
    loopNesting += 1
    let statements = try statements(until: ["endfor", "else"])
    loopNesting -= 1
    let hasElse = skip("else")
    let otherwise = hasElse ? try body("endfor") : []
    if !hasElse { advance() }
    return TemplateLoop(
      target: target, items: items, filter: filter, body: statements, otherwise: otherwise,
      line: line)
  }

  private mutating func assignment(line: Int) throws(ModelError) -> TemplateStatement {
    let target = try target(members: true)
    if skip(.assign) { return .assign(target, try tuple(), line: line) }
    let filters = try filters(after: try node(.captured, line: line, []))
    return .capture(target, filters: filters, body: try body("endset"), line: line)
  }

  private mutating func with(line: Int) throws(ModelError) -> TemplateStatement {
    var assignments: [(target: TemplateTarget, value: TemplateExpression)] = []
    while current != .blockEnd, current != .end {
      if !assignments.isEmpty { try expect(.symbol(.comma)) }
      let target = try target()
      try expect(.symbol(.assign))
      assignments.append((target, try expression()))
    }
    return .with(assignments, body: try body("endwith"), line: line)
  }

  private mutating func filterBlock() throws(ModelError) -> TemplateStatement {
    let captured = try node(.captured, line: line, [])
    let first = try filter(of: captured)
    let filters = try filters(after: first)
    return .filterBlock(filters, body: try body("endfilter"))
  }

  /// `{% print a, b %}`.
  private mutating func printed(line: Int) throws(ModelError) -> TemplateStatement? {
    var values: [TemplateExpression] = []
    while current != .blockEnd, current != .end {
      if !values.isEmpty { try expect(.symbol(.comma)) }
      values.append(try expression())
    }
    return values.isEmpty ? nil : .output(try node(.concatenation(values), line: line, values))
  }

  // MARK: Macros

  private mutating func macro(line: Int) throws(ModelError) -> TemplateMacro {
    let name = try expectName()
    let parameters = try signature()
    return try macro(name, parameters, end: "endmacro", line: line)
  }

  private mutating func callBlock(line: Int) throws(ModelError) -> TemplateStatement {
    let parameters = current == .symbol(.leftParenthesis) ? try signature() : []
    let call = try expression()
    guard case .call = call.kind else {
      throw templateFault("a call should follow 'call'", line: line)
    }
    return .callBlock(call, caller: try macro(nil, parameters, end: "endcall", line: line))
  }

  private mutating func macro(
    _ name: String?, _ parameters: [(name: String, fallback: TemplateExpression?)], end: String,
    line: Int
  ) throws(ModelError) -> TemplateMacro {
    let outerNames = specialNames
    specialNames = []
    let statements = try isolated { parser throws(ModelError) in try parser.body(end) }
    let names = specialNames
    specialNames.formUnion(outerNames)
    return TemplateMacro(
      name: name, parameters: parameters, body: statements, specialNames: names, line: line)
  }

  /// Parses a body that `break` and `continue` cannot leave.
  private mutating func isolated(
    _ body: (inout TemplateParser) throws(ModelError) -> [TemplateStatement]
  ) throws(ModelError) -> [TemplateStatement] {
    let outer = loopNesting
    loopNesting = 0
    defer { loopNesting = outer }
    return try body(&self)
  }

  private mutating func signature() throws(ModelError) -> [(
    name: String, fallback: TemplateExpression?
  )] {
    var parameters: [(name: String, fallback: TemplateExpression?)] = []
    try expect(.symbol(.leftParenthesis))
    while current != .symbol(.rightParenthesis) {
      if !parameters.isEmpty { try expect(.symbol(.comma)) }
      let name = try expectName()
      guard !parameters.contains(where: { $0.name == name }) else {
        throw fault("two parameters are called '\(name)'")
      }
      let fallback = skip(.assign) ? try expression() : nil
      guard fallback != nil || parameters.last?.fallback == nil else {
        throw fault("the parameter '\(name)' needs a default, since the one before it has one")
      }
      parameters.append((name, fallback))
    }
    advance()
    return parameters
  }

  // MARK: Targets of assignments

  /// One target, or several with commas; `members` allows `namespace.name`.
  private mutating func target(members: Bool = false, until end: String? = nil) throws(ModelError)
    -> TemplateTarget
  {
    var targets: [TemplateTarget] = []
    var isTuple = false
    while true {
      if case .name(let name) = current, name == end, isTuple { break }
      guard targets.isEmpty || isTuple else { break }
      if isTuple, current == .symbol(.assign) || current == .symbol(.rightParenthesis) { break }
      targets.append(try singleTarget(members: members))
      guard skip(.comma) else { break }
      isTuple = true
    }
    if !isTuple, let only = targets.first { return only }
    return .tuple(targets)
  }

  private mutating func singleTarget(members: Bool) throws(ModelError) -> TemplateTarget {
    if skip(.leftParenthesis) {
      try enter()
      defer { leave() }
      let inner = try target(members: members)
      try expect(.symbol(.rightParenthesis))
      return inner
    }
    let name = try expectName()
    guard !["true", "false", "none", "True", "False", "None"].contains(name) else {
      throw fault("'\(name)' cannot be assigned to")
    }
    if members, skip(.dot) { return .member(namespace: name, name: try expectName()) }
    return .name(name)
  }
}
