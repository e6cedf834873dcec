extension TemplateParser {
  /// A name, a literal, or an expression in brackets.
  mutating func primary() throws(ModelError) -> TemplateExpression {
    let line = line
    switch current {
    case .name(let name):
      advance()
      if ["caller", "kwargs", "varargs"].contains(name) { specialNames.insert(name) }
      return try node(Self.constant(name).map { .constant($0) } ?? .name(name), line: line, [])
    case .string(var text):
      advance()
      while case .string(let next) = current {
        text += next
        advance()
      }
      return try node(.constant(.string(text)), line: line, [])
    case .integer(let value):
      advance()
      return try node(.constant(.integer(value)), line: line, [])
    case .number(let value):
      advance()
      return try node(.constant(.number(value)), line: line, [])
    case .symbol(.leftParenthesis):
      advance()
      let value = try tuple(parenthesized: true)
      try expect(.symbol(.rightParenthesis))
      return value
    case .symbol(.leftBracket): return try list()
    case .symbol(.leftBrace): return try dictionary()
    default: throw fault("a value should stand where \(current.words) stands")
    }
  }

  private static func constant(_ name: String) -> TemplateConstant? {
    switch name {
    case "true", "True": .bool(true)
    case "false", "False": .bool(false)
    case "none", "None": TemplateConstant.none
    default: nil
    }
  }

  private mutating func list() throws(ModelError) -> TemplateExpression {
    let line = line
    advance()
    var elements: [TemplateExpression] = []
    while current != .symbol(.rightBracket) {
      if !elements.isEmpty {
        try expect(.symbol(.comma))
        if current == .symbol(.rightBracket) { break }
      }
      elements.append(try expression())
    }
    advance()
    return try node(.list(elements), line: line, elements)
  }

  private mutating func dictionary() throws(ModelError) -> TemplateExpression {
    let line = line
    advance()
    var members: [(key: TemplateExpression, value: TemplateExpression)] = []
    while current != .symbol(.rightBrace) {
      if !members.isEmpty {
        try expect(.symbol(.comma))
        if current == .symbol(.rightBrace) { break }
      }
      let key = try expression()
      try expect(.symbol(.colon))
      members.append((key, try expression()))
    }
    advance()
    return try node(.dictionary(members), line: line, members.flatMap { [$0.key, $0.value] })
  }

  /// Attributes, elements and calls behind `value`.
  mutating func postfix(_ value: TemplateExpression) throws(ModelError) -> TemplateExpression {
    var value = value
    while true {
      switch current {
      case .symbol(.dot): value = try attribute(of: value)
      case .symbol(.leftBracket): value = try element(of: value)
      case .symbol(.leftParenthesis): value = try call(of: value)
      default: return value
      }
    }
  }

  private mutating func attribute(of value: TemplateExpression) throws(ModelError)
    -> TemplateExpression
  {
    let line = line
    advance()
    if case .integer(let index) = current {
      advance()
      let key = try node(.constant(.integer(index)), line: line, [])
      return try node(.element(value, key), line: line, [value, key])
    }
    return try node(.attribute(value, try expectName()), line: line, [value])
  }

  private mutating func element(of value: TemplateExpression) throws(ModelError)
    -> TemplateExpression
  {
    let line = line
    advance()
    var keys: [TemplateExpression] = []
    var isTuple = false
    while current != .symbol(.rightBracket) {
      if isTuple { try expect(.symbol(.comma)) }
      let start = current == .symbol(.colon) ? nil : try expression()
      if current == .symbol(.colon) {
        guard !isTuple else { throw fault("slices of several dimensions are not supported") }
        return try slice(of: value, from: start, line: line)
      }
      if let start { keys.append(start) }
      isTuple = true
    }
    advance()
    let key = keys.count == 1 ? keys[0] : try node(.tuple(keys), line: line, keys)
    return try node(.element(value, key), line: line, [value, key])
  }

  private mutating func slice(
    of value: TemplateExpression, from start: TemplateExpression?, line: Int
  ) throws(ModelError) -> TemplateExpression {
    var slice = TemplateSlice(start: start)
    advance()
    if current != .symbol(.colon), current != .symbol(.rightBracket) {
      slice.stop = try expression()
    }
    if skip(.colon), current != .symbol(.rightBracket) { slice.step = try expression() }
    guard skip(.rightBracket) else {
      throw fault("']' should stand where \(current.words) stands")
    }
    let children = [value] + [slice.start, slice.stop, slice.step].compactMap { $0 }
    return try node(.slice(value, slice), line: line, children)
  }

  private mutating func call(of value: TemplateExpression) throws(ModelError)
    -> TemplateExpression
  {
    let line = line
    let (arguments, children) = try arguments()
    return try node(.call(value, arguments), line: line, [value] + children)
  }

  /// Arguments in parentheses, and all their expressions in one list.
  private mutating func arguments() throws(ModelError) -> (
    TemplateArguments, children: [TemplateExpression]
  ) {
    try expect(.symbol(.leftParenthesis))
    var arguments = TemplateArguments()
    var children: [TemplateExpression] = []
    while current != .symbol(.rightParenthesis) {
      if !children.isEmpty {
        try expect(.symbol(.comma))
        if current == .symbol(.rightParenthesis) { break }
      }
      if skip(.times) {
        guard arguments.spread == nil, arguments.namedSpread == nil else { throw misplaced() }
        children.append(try expression())
        arguments.spread = children.last
      } else if skip(.power) {
        guard arguments.namedSpread == nil else { throw misplaced() }
        children.append(try expression())
        arguments.namedSpread = children.last
      } else if case .name(let name) = current, following == .symbol(.assign) {
        guard arguments.namedSpread == nil else { throw misplaced() }
        guard !arguments.named.contains(where: { $0.name == name }) else {
          throw fault("the argument '\(name)' is given twice")
        }
        advance()
        advance()
        children.append(try expression())
        arguments.named.append((name, children[children.count - 1]))
      } else {
        let isFirst = arguments.named.isEmpty && arguments.spread == nil
        guard isFirst, arguments.namedSpread == nil else { throw misplaced() }
        children.append(try expression())
        arguments.positional.append(children[children.count - 1])
      }
    }
    advance()
    return (arguments, children)
  }

  private func misplaced() -> ModelError { fault("the arguments of a call are in a wrong order") }

  // MARK: Filters and tests

  mutating func filtersAndTests(_ value: TemplateExpression) throws(ModelError)
    -> TemplateExpression
  {
    var value = value
    while true {
      switch current {
      case .symbol(.pipe):
        advance()
        value = try filter(of: value)
      case .name("is"): value = try test(of: value)
      case .symbol(.leftParenthesis): value = try call(of: value)
      default: return value
      }
    }
  }

  /// The filters, each with its `|`, behind `value`.
  mutating func filters(after value: TemplateExpression) throws(ModelError) -> TemplateExpression {
    var value = value
    while skip(.pipe) { value = try filter(of: value) }
    return value
  }

  /// The filter whose name comes next.
  mutating func filter(of value: TemplateExpression) throws(ModelError) -> TemplateExpression {
    let line = line
    let name = try dottedName()
    let (arguments, children) =
      current == .symbol(.leftParenthesis) ? try arguments() : (TemplateArguments(), [])
    return try node(.filter(value, name, arguments), line: line, [value] + children)
  }

  private mutating func dottedName() throws(ModelError) -> String {
    var name = try expectName()
    while skip(.dot) { name += "." + (try expectName()) }
    return name
  }

  private mutating func test(of value: TemplateExpression) throws(ModelError)
    -> TemplateExpression
  {
    let line = line
    advance()
    let isNegated = skip("not")
    let name = try dottedName()
    var (arguments, children) = (TemplateArguments(), [TemplateExpression]())
    if current == .symbol(.leftParenthesis) {
      (arguments, children) = try self.arguments()
    } else if beginsTestArgument {
      guard current != .name("is") else { throw fault("tests cannot be chained with 'is'") }
      try enter()
      defer { leave() }
      let argument = try postfix(try primary())
      (arguments.positional, children) = ([argument], [argument])
    }
    let test = try node(.test(value, name, arguments), line: line, [value] + children)
    return isNegated ? try node(.not(test), line: line, [test]) : test
  }

  private var beginsTestArgument: Bool {
    switch current {
    case .name("else"), .name("or"), .name("and"): false
    case .name, .string, .integer, .number, .symbol(.leftBracket), .symbol(.leftBrace): true
    default: false
    }
  }
}
