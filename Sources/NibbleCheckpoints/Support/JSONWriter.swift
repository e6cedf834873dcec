/// How JSON text is laid out.
public enum JSONStyle: Sendable {
  /// No white space at all, as serde_json writes.
  case compact
  /// `, ` and `: ` on one line, as Python's `json.dumps` writes by default.
  case spaced
  /// One member a line, indented by this many spaces a level.
  case indented(Int)
}

extension JSONValue {
  /// The value as JSON text. Only quotes, backslashes and control characters are escaped;
  /// infinities and NaN, which JSON lacks, become null.
  public func text(_ style: JSONStyle = .compact) -> String {
    var writer = JSONWriter(style: style)
    writer.write(self, depth: 0)
    return writer.text
  }
}

private struct JSONWriter {
  let style: JSONStyle
  var text = ""

  init(style: JSONStyle) { self.style = style }

  mutating func write(_ value: JSONValue, depth: Int) {
    switch value {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .number(let value): text += value.isFinite ? "\(value)" : "null"
    case .string(let value): write(value)
    case .array(let elements):
      list("[", "]", elements.count, depth) { writer, index in
        writer.write(elements[index], depth: depth + 1)
      }
    case .object(let object):
      list("{", "}", object.count, depth) { writer, index in
        let key = object.keys[index]
        writer.write(key)
        if case .compact = writer.style { writer.text += ":" } else { writer.text += ": " }
        writer.write(object[key] ?? .null, depth: depth + 1)
      }
    }
  }

  mutating func list(
    _ open: String, _ close: String, _ count: Int, _ depth: Int,
    _ element: (inout JSONWriter, Int) -> Void
  ) {
    text += open
    for index in 0..<count {
      if index > 0 { text += "," }
      switch style {
      case .compact: break
      case .spaced: if index > 0 { text += " " }
      case .indented(let width): newLine(width * (depth + 1))
      }
      element(&self, index)
    }
    if case .indented(let width) = style, count > 0 { newLine(width * depth) }
    text += close
  }

  mutating func newLine(_ indentation: Int) {
    text += "\n"
    text += String(repeating: " ", count: indentation)
  }

  mutating func write(_ string: String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{08}": text += "\\b"
      case "\u{0C}": text += "\\f"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
