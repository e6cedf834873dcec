/// How the filter `tojson` lays out its text: the arguments of Python's `json.dumps`.
struct TemplateJSONStyle {
  /// The text of one level of indentation; nil for everything on one line.
  var indentation: String?
  var itemSeparator = ", "
  var keySeparator = ": "
  var escapesNonASCII = false
  var sortsKeys = false
}

extension TemplateEvaluator {
  /// The filter `tojson` as `transformers` defines it: Python's `json.dumps` with `ensure_ascii`
  /// off by default and no escaping for HTML.
  func json(_ value: TemplateValue, _ arguments: TemplateCallArguments) throws(ModelError)
    -> TemplateValue
  {
    let values = try bind(
      arguments, ["ensure_ascii", "indent", "separators", "sort_keys"], of: "the filter 'tojson'")
    var style = TemplateJSONStyle()
    style.escapesNonASCII = values[0]?.isTrue ?? false
    style.sortsKeys = values[3]?.isTrue ?? false
    switch values[1] {
    case nil, .some(.none): break
    case .some(.string(let text)): style.indentation = text
    default:
      let width = try integer(values[1], or: 0, "indentation")
      guard width <= 1000 else { throw fault("an indentation of more than 1000 spaces") }
      style.indentation = String(repeating: " ", count: max(0, width))
    }
    if style.indentation != nil { style.itemSeparator = "," }
    if let separators = values[2], separators.isTrue {
      let pair = try elements(of: separators)
      guard pair.count == 2 else { throw fault("the separators of tojson must be two texts") }
      style.itemSeparator = try text(pair[0], "separator")
      style.keySeparator = try text(pair[1], "separator")
    }
    var result = ""
    try write(value, style, level: 0, into: &result)
    return try string(result)
  }

  private func write(
    _ value: TemplateValue, _ style: TemplateJSONStyle, level: Int, into result: inout String
  ) throws(ModelError) {
    try charge()
    guard result.utf8.count <= limits.outputBytes else { return try charge(bytes: .max) }
    switch value {
    case .none: result += "null"
    case .bool(let value): result += value ? "true" : "false"
    case .integer(let value): result += String(value)
    case .number(let value): result += Self.json(value)
    case .string(let text): try write(text, style, into: &result)
    case .sequence(let sequence) where sequence.kind == .list || sequence.kind == .tuple:
      try enter()
      defer { leave() }
      result += "["
      for (index, element) in sequence.elements.enumerated() {
        try separate(index, style, level + 1, into: &result)
        try write(element, style, level: level + 1, into: &result)
      }
      if !sequence.elements.isEmpty { try newLine(style, level, into: &result) }
      result += "]"
    case .dictionary(let dictionary):
      try write(dictionary, style, level: level, into: &result)
    case .undefined(let message): throw fault("\(message), so that it has no JSON form")
    default: throw fault("a \(value.typeName) has no JSON form")
    }
  }

  private func write(
    _ dictionary: TemplateDictionary, _ style: TemplateJSONStyle, level: Int,
    into result: inout String
  ) throws(ModelError) {
    try enter()
    defer { leave() }
    var order = Array(dictionary.keys.indices)
    if style.sortsKeys {
      order = try sorted(order, by: dictionary.keys)
    }
    result += "{"
    for (position, index) in order.enumerated() {
      try separate(position, style, level + 1, into: &result)
      let name: String
      switch dictionary.keys[index] {
      case .string(let text): name = text
      case .integer(let value): name = String(value)
      case .number(let value): name = Self.json(value)
      case .bool(let value): name = value ? "true" : "false"
      case .none: name = "null"
      default: throw fault("a \(dictionary.keys[index].typeName) cannot be a key in JSON")
      }
      try write(name, style, into: &result)
      result += style.keySeparator
      try write(dictionary.values[index], style, level: level + 1, into: &result)
    }
    if !order.isEmpty { try newLine(style, level, into: &result) }
    result += "}"
  }

  private func separate(
    _ index: Int, _ style: TemplateJSONStyle, _ level: Int, into result: inout String
  ) throws(ModelError) {
    if index > 0 {
      try charge(style.itemSeparator.utf8.count / 64)
      result += style.itemSeparator
    }
    try newLine(style, level, into: &result)
  }

  private func newLine(_ style: TemplateJSONStyle, _ level: Int, into result: inout String)
    throws(ModelError)
  {
    guard let indentation = style.indentation else { return }
    try charge(bytes: indentation.utf8.count * level)
    result += "\n" + PythonText.repeated(indentation, level)
  }

  private static func json(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
    return "\(value)"
  }

  private func write(_ text: String, _ style: TemplateJSONStyle, into result: inout String)
    throws(ModelError)
  {
    try charge(1 + text.utf8.count / 16)
    result += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{08}": result += "\\b"
      case "\u{0C}": result += "\\f"
      case _ where scalar.value < 0x20 || (style.escapesNonASCII && scalar.value >= 0x7F):
        for unit in String(scalar).utf16 {
          result += "\\u" + PythonText.hexadecimal(UInt32(unit), width: 4)
        }
      default: result.unicodeScalars.append(scalar)
      }
    }
    result += "\""
  }
}
