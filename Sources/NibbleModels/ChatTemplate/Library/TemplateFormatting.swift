internal import Foundation

/// Python's formatting with `%`, as in `'%s has %d' % (name, count)` and in the filter `format`.
extension TemplateEvaluator {
  /// `format` with its directives replaced by `values`: a tuple of as many values, a dictionary for
  /// directives with names, or one value.
  func format(_ format: String, _ values: TemplateValue) throws(ModelError) -> TemplateValue {
    try charge(1 + format.utf8.count / 16)
    var rest = [values]
    if case .sequence(let sequence) = values, sequence.kind == .tuple { rest = sequence.elements }
    rest.reverse()
    var result = ""
    var scalars = format.unicodeScalars[...]
    while let scalar = scalars.popFirst() {
      guard scalar == "%" else {
        result.unicodeScalars.append(scalar)
        continue
      }
      let directive = try FormatDirective(&scalars, fault)
      if directive.conversion == "%" {
        result += "%"
        continue
      }
      let value: TemplateValue
      if let name = directive.name {
        guard case .dictionary(let dictionary) = values else {
          throw fault("formatting with names needs a dictionary")
        }
        guard let member = dictionary[.string(ExactString(name))] else {
          throw fault("the dictionary to format lacks '\(name)'")
        }
        value = member
      } else {
        guard let next = rest.popLast() else { throw fault("too few values to format") }
        value = next
      }
      result += try formatted(value, directive)
      try charge(bytes: result.utf8.count)
    }
    // Python forgives a value that is left over when it has elements but is neither tuple nor text.
    switch values {
    case .dictionary, .undefined: return .string(result)
    case .sequence(let sequence) where sequence.kind != .tuple: return .string(result)
    default: break
    }
    guard rest.isEmpty else { throw fault("too many values to format") }
    return .string(result)
  }

  private func formatted(_ value: TemplateValue, _ directive: FormatDirective)
    throws(ModelError) -> String
  {
    switch directive.conversion {
    case "s", "r":
      let text = directive.conversion == "s" ? try text(value) : try representation(value)
      guard let precision = directive.precision else { return directive.padded("", text) }
      return directive.padded(
        "", String(String.UnicodeScalarView(text.unicodeScalars.prefix(precision))))
    case "d", "i", "x", "X", "o":
      var integer = value.integer
      if case .number(let number) = value, directive.isDecimal {
        integer = Int(exactly: number.rounded(.towardZero))
      }
      guard let integer else { throw misuse(of: value, "format as a whole number") }
      let radix = directive.isDecimal ? 10 : directive.conversion == "o" ? 8 : 16
      let digits = String(integer.magnitude, radix: radix, uppercase: directive.conversion == "X")
      let zeros = max(0, (directive.precision ?? 0) - digits.utf8.count)
      return directive.padded(
        directive.sign(integer < 0), PythonText.repeated("0", zeros) + digits, isNumber: true)
    default:
      guard let number = value.number else { throw misuse(of: value, "format as a number") }
      let precision = directive.precision ?? 6
      let text =
        number.isFinite
        ? String(format: "%.\(precision)\(directive.conversion)", number.magnitude)
        : "\(number.magnitude)"
      return directive.padded(
        directive.sign(number.sign == .minus), text, isNumber: number.isFinite)
    }
  }
}

/// What stands behind a `%`: a name, flags, a width, a precision and the kind of conversion.
private struct FormatDirective {
  private(set) var name: String?
  private var flags: Set<Unicode.Scalar> = []
  private var width = 0
  private(set) var precision: Int?
  private(set) var conversion: Unicode.Scalar = "%"

  init(_ scalars: inout Substring.UnicodeScalarView, _ fault: (String) -> ModelError)
    throws(ModelError)
  {
    if scalars.first == "(" {
      guard let end = scalars.firstIndex(of: ")") else { throw fault("a format is cut short") }
      name = String(scalars[scalars.index(after: scalars.startIndex)..<end])
      scalars = scalars[scalars.index(after: end)...]
    }
    while let flag = scalars.first, "-+ 0".unicodeScalars.contains(flag) {
      flags.insert(flag)
      scalars.removeFirst()
    }
    width = Self.number(&scalars) ?? 0
    if scalars.first == "." {
      scalars.removeFirst()
      precision = Self.number(&scalars) ?? 0
    }
    guard width <= 1000, precision ?? 0 <= 300 else { throw fault("a format is too wide") }
    guard let letter = scalars.popFirst(), "srdixXofFeEgG%".unicodeScalars.contains(letter) else {
      throw fault("a format with '%' is cut short or of a kind that is not supported")
    }
    conversion = letter
  }

  private static func number(_ scalars: inout Substring.UnicodeScalarView) -> Int? {
    var value: Int?
    while let scalar = scalars.first, ("0"..."9").contains(scalar) {
      value = min((value ?? 0) * 10 + Int(scalar.value - 48), 1 << 20)
      scalars.removeFirst()
    }
    return value
  }

  var isDecimal: Bool { conversion == "d" || conversion == "i" }

  func sign(_ isNegative: Bool) -> String {
    isNegative ? "-" : flags.contains("+") ? "+" : flags.contains(" ") ? " " : ""
  }

  /// `sign` and `text` filled up to the width.
  func padded(_ sign: String, _ text: String, isNumber: Bool = false) -> String {
    let missing = max(0, width - sign.unicodeScalars.count - text.unicodeScalars.count)
    if flags.contains("-") { return sign + text + PythonText.repeated(" ", missing) }
    if isNumber, flags.contains("0") { return sign + PythonText.repeated("0", missing) + text }
    return PythonText.repeated(" ", missing) + sign + text
  }
}
