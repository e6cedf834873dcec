extension TemplateEvaluator {
  func evaluate(_ expression: TemplateExpression) throws(ModelError) -> TemplateValue {
    try enter()
    defer { leave() }
    try charge()
    switch expression.kind {
    case .constant(let constant): return TemplateValue(constant)
    case .name(let name): return lookup(name)
    case .captured: return .string(captured)
    case .tuple(let elements): return try sequence(.tuple, try evaluate(elements))
    case .list(let elements): return try list(try evaluate(elements))
    case .dictionary(let members): return try evaluate(members, line: expression.line)
    case .attribute(let value, let name):
      let value = try evaluate(value)
      line = expression.line
      return try attribute(name, of: value)
    case .element(let value, let key):
      let (value, key) = (try evaluate(value), try evaluate(key))
      line = expression.line
      return try element(key, of: value)
    case .slice(let value, let slice): return try evaluate(value, slice, line: expression.line)
    case .call(let callee, let arguments):
      let (function, values) = (try evaluate(callee), try evaluate(arguments))
      line = expression.line
      return try call(function, values)
    case .filter(let value, let name, let arguments):
      let (value, values) = (try evaluate(value), try evaluate(arguments))
      line = expression.line
      return try filter(name, value, values)
    case .test(let value, let name, let arguments):
      let (value, values) = (try evaluate(value), try evaluate(arguments))
      line = expression.line
      return .bool(try test(name, value, values))
    case .not(let value): return .bool(!(try evaluate(value)).isTrue)
    case .negative(let value): return try signed(value, isNegative: true, line: expression.line)
    case .positive(let value): return try signed(value, isNegative: false, line: expression.line)
    case .arithmetic(let kind, let left, let right):
      let (left, right) = (try evaluate(left), try evaluate(right))
      line = expression.line
      return try arithmetic(kind, left, right)
    case .and(let left, let right):
      let left = try evaluate(left)
      return left.isTrue ? try evaluate(right) : left
    case .or(let left, let right):
      let left = try evaluate(left)
      return left.isTrue ? left : try evaluate(right)
    case .comparison(let first, let steps):
      return try evaluate(first, steps, line: expression.line)
    case .concatenation(let parts): return try concatenate(parts)
    case .conditional(let test, let value, let otherwise):
      if try evaluate(test).isTrue { return try evaluate(value) }
      guard let otherwise else { return .undefined("an 'if' without 'else' gave no value") }
      return try evaluate(otherwise)
    }
  }

  /// The value of a name: set by the template, given by the caller, or one of the functions that
  /// are always there.
  func lookup(_ name: String) -> TemplateValue {
    if let value = scope.value(name) ?? variables[.string(ExactString(name))] { return value }
    switch name {
    case "range", "dict", "namespace", "raise_exception", "strftime_now":
      if let function = TemplateFunction(rawValue: name) { return .function(function) }
    case "cycler", "joiner", "lipsum":
      return .undefined("the function '\(name)' is not supported")
    default: break
    }
    return .undefined("'\(name)' is undefined")
  }

  private func evaluate(_ expressions: [TemplateExpression]) throws(ModelError) -> [TemplateValue] {
    var values: [TemplateValue] = []
    values.reserveCapacity(expressions.count)
    for expression in expressions { values.append(try evaluate(expression)) }
    return values
  }

  private func evaluate(
    _ members: [(key: TemplateExpression, value: TemplateExpression)], line: Int
  ) throws(ModelError) -> TemplateValue {
    var builder = TemplateDictionaryBuilder()
    for member in members {
      let (key, value) = (try evaluate(member.key), try evaluate(member.value))
      self.line = line
      builder.set(try requiredKey(key), key, value)
    }
    return try dictionary(builder)
  }

  func requiredKey(_ value: TemplateValue) throws(ModelError) -> TemplateKey {
    guard let key = try key(value) else {
      throw fault("a \(value.typeName) cannot be a key of a dictionary")
    }
    return key
  }

  func evaluate(_ arguments: TemplateArguments) throws(ModelError) -> TemplateCallArguments {
    var result = TemplateCallArguments()
    result.positional = try evaluate(arguments.positional)
    for argument in arguments.named {
      result.named.append((argument.name, try evaluate(argument.value)))
    }
    if let spread = arguments.spread {
      let more = try elements(of: try evaluate(spread))
      try charge(more.count)
      result.positional += more
    }
    if let spread = arguments.namedSpread {
      guard case .dictionary(let dictionary) = try evaluate(spread) else {
        throw fault("a dictionary should follow '**'")
      }
      for (key, value) in zip(dictionary.keys, dictionary.values) {
        try charge(1 + result.named.count)
        guard let name = key.string, !result.named.contains(where: { $0.name == name }) else {
          throw fault("the dictionary after '**' holds a key that cannot be an argument")
        }
        result.named.append((name, value))
      }
    }
    return result
  }

  private func signed(_ operand: TemplateExpression, isNegative: Bool, line: Int)
    throws(ModelError) -> TemplateValue
  {
    let value = try evaluate(operand)
    self.line = line
    if case .number(let number) = value { return .number(isNegative ? -number : number) }
    guard let integer = value.integer else { throw misuse(of: value, "take the sign of") }
    guard isNegative else { return .integer(integer) }
    guard integer != .min else { throw tooLarge() }
    return .integer(-integer)
  }

  private func concatenate(_ parts: [TemplateExpression]) throws(ModelError) -> TemplateValue {
    var result = ""
    for part in parts {
      result += try text(try evaluate(part))
      try charge(bytes: result.utf8.count)
    }
    return .string(result)
  }

  private func evaluate(
    _ first: TemplateExpression, _ steps: [(TemplateComparison, TemplateExpression)], line: Int
  ) throws(ModelError) -> TemplateValue {
    var left = try evaluate(first)
    for (comparison, expression) in steps {
      let right = try evaluate(expression)
      self.line = line
      guard try compare(left, comparison, right) else { return .bool(false) }
      left = right
    }
    return .bool(true)
  }

  private func evaluate(_ value: TemplateExpression, _ slice: TemplateSlice, line: Int)
    throws(ModelError) -> TemplateValue
  {
    let value = try evaluate(value)
    let start = try evaluate(bound: slice.start)
    let stop = try evaluate(bound: slice.stop)
    let step = try evaluate(bound: slice.step) ?? 1
    self.line = line
    return try self.slice(value, start, stop, step: step)
  }

  private func evaluate(bound: TemplateExpression?) throws(ModelError) -> Int? {
    guard let bound else { return nil }
    let value = try evaluate(bound)
    if case .none = value { return nil }
    guard let index = value.integer else {
      throw fault("the bounds of a slice must be whole numbers, not \(value.typeName)")
    }
    return index
  }

  /// The error of using `value` in a way that its type does not allow.
  func misuse(of value: TemplateValue, _ action: String) -> ModelError {
    if case .undefined(let message) = value { return fault(message) }
    return fault("cannot \(action) a \(value.typeName)")
  }

  func tooLarge() -> ModelError { fault("a whole number is too large") }
}
