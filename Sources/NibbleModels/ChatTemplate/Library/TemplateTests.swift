extension TemplateEvaluator {
  /// `value is name(arguments)`.
  func test(_ name: String, _ value: TemplateValue, _ arguments: TemplateCallArguments)
    throws(ModelError) -> Bool
  {
    let what = "the test '\(name)'"
    if let comparison = Self.comparison(name) {
      let other = try bind(arguments, ["other"], required: 1, of: what)[0]
      return try compare(value, comparison, other ?? .none)
    }
    switch name {
    case "divisibleby":
      let divisor = try bind(arguments, ["num"], required: 1, of: what)[0]
      return try remainder(value, by: divisor ?? .none) == 0
    case "in":
      let container = try bind(arguments, ["seq"], required: 1, of: what)[0]
      return try contains(container ?? .none, value)
    case "sameas":
      return try isSame(value, try bind(arguments, ["other"], required: 1, of: what)[0] ?? .none)
    default: _ = try bind(arguments, [], of: what)
    }
    switch (name, value) {
    case ("defined", _): return !value.isUndefined
    case ("undefined", _): return value.isUndefined
    case ("none", .none), ("string", .string), ("number", .number), ("float", .number): return true
    case ("integer", .integer), ("mapping", .dictionary): return true
    case ("number", _): return value.integer != nil
    case ("boolean", .bool): return true
    case ("true", .bool(let value)): return value
    case ("false", .bool(let value)): return !value
    case ("iterable", .iterator), ("callable", .undefined): return true
    case ("iterable", _), ("sequence", _): return Self.isRow(value, name)
    case ("callable", .function), ("callable", .macro), ("callable", .method): return true
    case ("odd", _): return try remainder(value, by: .integer(2)) == 1
    case ("even", _): return try remainder(value, by: .integer(2)) == 0
    case ("lower", _), ("upper", _):
      let text = try text(value)
      try charge(1 + text.utf8.count / 16)
      return Self.isCased(text, upper: name == "upper")
    case ("none", _), ("string", _), ("float", _), ("integer", _), ("mapping", _), ("boolean", _),
      ("true", _), ("false", _), ("callable", _), ("escaped", _):
      return false
    default: throw fault("the test '\(name.prefix(60))' is not supported")
    }
  }

  private static func comparison(_ name: String) -> TemplateComparison? {
    switch name {
    case "eq", "equalto", "==": .equal
    case "ne", "!=": .notEqual
    case "lt", "lessthan", "<": .less
    case "le", "<=": .lessOrEqual
    case "gt", "greaterthan", ">": .greater
    case "ge", ">=": .greaterOrEqual
    default: nil
    }
  }

  private static func isRow(_ value: TemplateValue, _ name: String) -> Bool {
    switch value {
    case .undefined, .string, .dictionary: true
    case .sequence(let sequence): name == "iterable" || sequence.kind.hasIndexes
    default: false
    }
  }

  private func remainder(_ value: TemplateValue, by divisor: TemplateValue) throws(ModelError)
    -> Double?
  {
    guard value.number != nil else { throw misuse(of: value, "divide") }
    return try arithmetic(.modulo, value, divisor).number
  }

  /// Whether Python would keep both as the same object; for plain values, whether they are equal
  /// and of one type.
  private func isSame(_ left: TemplateValue, _ right: TemplateValue) throws(ModelError) -> Bool {
    switch (left, right) {
    case (.sequence(let left), .sequence(let right)): left === right
    case (.dictionary(let left), .dictionary(let right)): left === right
    default: left.typeName == right.typeName ? try equal(left, right) : false
    }
  }
}
