/// A word of a template's source.
enum TemplateToken: Equatable, Sendable {
  /// Text outside of all tags.
  case text(String)
  case variableBegin
  case variableEnd
  case blockBegin
  case blockEnd
  case name(String)
  case string(String)
  case integer(Int)
  case number(Double)
  case symbol(TemplateSymbol)
  case end

  /// What an error message calls the token.
  var words: String {
    switch self {
    case .text: "text"
    case .variableBegin: "'{{'"
    case .variableEnd: "'}}'"
    case .blockBegin: "'{%'"
    case .blockEnd: "'%}'"
    case .name(let name): "'\(name.prefix(60))'"
    case .string: "a string"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .symbol(let symbol): "'\(symbol.rawValue)'"
    case .end: "the end of the template"
    }
  }
}

/// The operators and brackets that may stand inside tags.
enum TemplateSymbol: String, Sendable {
  case plus = "+"
  case minus = "-"
  case times = "*"
  case power = "**"
  case divide = "/"
  case floorDivide = "//"
  case modulo = "%"
  case tilde = "~"
  case leftBracket = "["
  case rightBracket = "]"
  case leftParenthesis = "("
  case rightParenthesis = ")"
  case leftBrace = "{"
  case rightBrace = "}"
  case equal = "=="
  case notEqual = "!="
  case greater = ">"
  case greaterOrEqual = ">="
  case less = "<"
  case lessOrEqual = "<="
  case assign = "="
  case dot = "."
  case colon = ":"
  case pipe = "|"
  case comma = ","
  case semicolon = ";"
}

/// A token and the line of the source on which it begins.
struct PositionedToken: Sendable {
  let token: TemplateToken
  let line: Int
}
