extension TemplateParser {
  /// Makes a node whose children are `children`, and checks its depth.
  func node(
    _ kind: TemplateExpression.Kind, line: Int, _ children: [TemplateExpression]
  ) throws(ModelError) -> TemplateExpression {
    var depth = 0
    for child in children { depth = max(depth, child.depth) }
    guard depth < limits.expressionDepth else {
      throw templateFault(
        "an expression is deeper than \(limits.expressionDepth) levels", line: line)
    }
    return TemplateExpression(kind: kind, line: line, depth: depth + 1)
  }

  /// One expression, or a tuple of several with commas between them.
  ///
  /// - Parameters:
  ///   - conditional: whether `a if b else c` may stand without parentheses.
  ///   - parenthesized: whether nothing at all is the empty tuple.
  /// - Returns: the expression.
  /// - Throws: ``ModelError`` when the tokens are no expression.
  mutating func tuple(conditional: Bool = true, parenthesized: Bool = false) throws(ModelError)
    -> TemplateExpression
  {
    let line = line
    var elements: [TemplateExpression] = []
    var isTuple = false
    while !endsTuple {
      elements.append(conditional ? try expression() : try disjunction())
      guard skip(.comma) else { break }
      isTuple = true
    }
    if !isTuple {
      if let only = elements.first { return only }
      guard parenthesized else {
        throw fault("an expression should stand where \(current.words) stands")
      }
    }
    return try node(.tuple(elements), line: line, elements)
  }

  private var endsTuple: Bool {
    switch current {
    case .variableEnd, .blockEnd, .symbol(.rightParenthesis): true
    default: false
    }
  }

  mutating func expression() throws(ModelError) -> TemplateExpression {
    try enter()
    defer { leave() }
    let line = line
    var value = try disjunction()
    while skip("if") {
      let test = try disjunction()
      if skip("else") {
        let otherwise = try expression()
        value = try node(
          .conditional(test: test, value, otherwise: otherwise), line: line,
          [test, value, otherwise])
      } else {
        value = try node(
          .conditional(test: test, value, otherwise: nil), line: line, [test, value])
      }
    }
    return value
  }

  private mutating func disjunction() throws(ModelError) -> TemplateExpression {
    var left = try conjunction()
    while current == .name("or") {
      let line = line
      advance()
      let right = try conjunction()
      left = try node(.or(left, right), line: line, [left, right])
    }
    return left
  }

  private mutating func conjunction() throws(ModelError) -> TemplateExpression {
    var left = try negation()
    while current == .name("and") {
      let line = line
      advance()
      let right = try negation()
      left = try node(.and(left, right), line: line, [left, right])
    }
    return left
  }

  private mutating func negation() throws(ModelError) -> TemplateExpression {
    guard current == .name("not") else { return try comparison() }
    let line = line
    advance()
    try enter()
    defer { leave() }
    let value = try negation()
    return try node(.not(value), line: line, [value])
  }

  private mutating func comparison() throws(ModelError) -> TemplateExpression {
    let line = line
    let first = try sum()
    var steps: [(TemplateComparison, TemplateExpression)] = []
    while let comparison = comparisonSymbol() {
      advance()
      if comparison == .isNotIn { advance() }
      steps.append((comparison, try sum()))
    }
    if steps.isEmpty { return first }
    return try node(.comparison(first, steps), line: line, [first] + steps.map { $0.1 })
  }

  private func comparisonSymbol() -> TemplateComparison? {
    switch current {
    case .symbol(.equal): .equal
    case .symbol(.notEqual): .notEqual
    case .symbol(.less): .less
    case .symbol(.lessOrEqual): .lessOrEqual
    case .symbol(.greater): .greater
    case .symbol(.greaterOrEqual): .greaterOrEqual
    case .name("in"): .isIn
    case .name("not") where following == .name("in"): .isNotIn
    default: nil
    }
  }

  private mutating func sum() throws(ModelError) -> TemplateExpression {
    var left = try concatenation()
    while true {
      let kind: TemplateOperator
      switch current {
      case .symbol(.plus): kind = .add
      case .symbol(.minus): kind = .subtract
      default: return left
      }
      let line = line
      advance()
      let right = try concatenation()
      left = try node(.arithmetic(kind, left, right), line: line, [left, right])
    }
  }

  private mutating func concatenation() throws(ModelError) -> TemplateExpression {
    let line = line
    let first = try product()
    guard current == .symbol(.tilde) else { return first }
    var parts = [first]
    while skip(.tilde) { parts.append(try product()) }
    return try node(.concatenation(parts), line: line, parts)
  }

  private mutating func product() throws(ModelError) -> TemplateExpression {
    var left = try power()
    while true {
      let kind: TemplateOperator
      switch current {
      case .symbol(.times): kind = .multiply
      case .symbol(.divide): kind = .divide
      case .symbol(.floorDivide): kind = .floorDivide
      case .symbol(.modulo): kind = .modulo
      default: return left
      }
      let line = line
      advance()
      let right = try power()
      left = try node(.arithmetic(kind, left, right), line: line, [left, right])
    }
  }

  /// As in Jinja, and unlike Python, powers associate to the left and bind less than a sign.
  private mutating func power() throws(ModelError) -> TemplateExpression {
    var left = try unary(filters: true)
    while current == .symbol(.power) {
      let line = line
      advance()
      let right = try unary(filters: true)
      left = try node(.arithmetic(.power, left, right), line: line, [left, right])
    }
    return left
  }

  private mutating func unary(filters: Bool) throws(ModelError) -> TemplateExpression {
    let line = line
    var value: TemplateExpression
    if current == .symbol(.minus) || current == .symbol(.plus) {
      let isNegative = current == .symbol(.minus)
      advance()
      try enter()
      defer { leave() }
      let operand = try unary(filters: false)
      value = try node(isNegative ? .negative(operand) : .positive(operand), line: line, [operand])
    } else {
      value = try primary()
    }
    value = try postfix(value)
    return filters ? try filtersAndTests(value) : value
  }
}
