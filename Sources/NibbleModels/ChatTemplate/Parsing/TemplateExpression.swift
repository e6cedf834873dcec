/// A node of an expression's tree.
struct TemplateExpression: Sendable {
  indirect enum Kind: Sendable {
    case constant(TemplateConstant)
    case name(String)
    case tuple([TemplateExpression])
    case list([TemplateExpression])
    case dictionary([(key: TemplateExpression, value: TemplateExpression)])
    case attribute(TemplateExpression, String)
    case element(TemplateExpression, TemplateExpression)
    case slice(TemplateExpression, TemplateSlice)
    case call(TemplateExpression, TemplateArguments)
    case filter(TemplateExpression, String, TemplateArguments)
    case test(TemplateExpression, String, TemplateArguments)
    case not(TemplateExpression)
    case negative(TemplateExpression)
    case positive(TemplateExpression)
    case arithmetic(TemplateOperator, TemplateExpression, TemplateExpression)
    case and(TemplateExpression, TemplateExpression)
    case or(TemplateExpression, TemplateExpression)
    case comparison(TemplateExpression, [(TemplateComparison, TemplateExpression)])
    case concatenation([TemplateExpression])
    case conditional(test: TemplateExpression, TemplateExpression, otherwise: TemplateExpression?)
    /// The text that a block has captured, as the input of the filters behind `{% set x | … %}` and
    /// `{% filter … %}`.
    case captured
  }

  let kind: Kind
  let line: Int
  /// One more than that of the deepest child.
  let depth: Int
}

enum TemplateConstant: Sendable {
  case none
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
}

/// `[start:stop:step]`.
struct TemplateSlice: Sendable {
  var start: TemplateExpression?
  var stop: TemplateExpression?
  var step: TemplateExpression?
}

/// What stands between the parentheses of a call.
struct TemplateArguments: Sendable {
  var positional: [TemplateExpression] = []
  var named: [(name: String, value: TemplateExpression)] = []
  /// After `*`.
  var spread: TemplateExpression?
  /// After `**`.
  var namedSpread: TemplateExpression?
}

enum TemplateOperator: String, Sendable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case floorDivide = "//"
  case modulo = "%"
  case power = "**"
}

enum TemplateComparison: String, Sendable {
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case isIn = "in"
  case isNotIn = "not in"
}
