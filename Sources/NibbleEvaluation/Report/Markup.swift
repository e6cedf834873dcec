/// A tree of HTML or SVG elements. Text and attribute values are escaped when it is written, so that names from files can
/// never become markup.
indirect enum Markup: Sendable, Equatable {
  case text(String)
  case element(String, attributes: [Attribute], children: [Markup])

  struct Attribute: Sendable, Equatable {
    var name: String
    var value: String
  }

  /// An element with attributes in the order given.
  static func tag(
    _ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ children: [Markup] = []
  ) -> Markup {
    .element(
      name, attributes: attributes.map { Attribute(name: $0.key, value: $0.value) },
      children: children)
  }

  /// An element with text alone.
  static func tag(
    _ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ text: String
  ) -> Markup { tag(name, attributes, [.text(text)]) }

  /// The markup as text that HTML and XML parsers read alike.
  var source: String {
    var result = ""
    write(to: &result)
    return result
  }

  private func write(to result: inout String) {
    switch self {
    case .text(let text): result += Self.escaped(text)
    case .element(let name, let attributes, let children):
      result += "<\(name)"
      for attribute in attributes {
        result += " \(attribute.name)=\"\(Self.escaped(attribute.value))\""
      }
      if children.isEmpty, Self.closesItself(name) {
        result += "/>"
        return
      }
      result += ">"
      for child in children { child.write(to: &result) }
      result += "</\(name)>"
      if Self.endsLine(name) { result += "\n" }
    }
  }

  /// `text` with the five special characters replaced, and those that XML 1.0 forbids shown as U+FFFD.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\t", "\n": result.unicodeScalars.append(scalar)
      case _
      where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
        || scalar.value & 0xFFFE == 0xFFFE:
        result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private static func closesItself(_ name: String) -> Bool {
    ["meta", "path", "rect", "line", "circle", "polyline", "polygon", "col", "br"].contains(name)
  }

  private static func endsLine(_ name: String) -> Bool {
    ["head", "style", "title", "section", "figure", "svg", "tr", "p", "h1", "h2", "g", "table"]
      .contains(name)
  }
}
