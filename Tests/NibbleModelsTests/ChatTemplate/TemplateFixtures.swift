import Foundation
import NibbleCheckpoints
import NibbleModels
import Testing

/// One template with its variables and what Jinja makes of it; nil where Jinja refuses.
struct TemplateCase: Sendable, CustomTestStringConvertible {
  let name: String
  let source: String
  let variables: JSONObject
  let expected: String?

  var testDescription: String { name }

  /// The date that the goldens were made with.
  static let date = TemplateDate(year: 2024, month: 7, day: 6, hour: 9, minute: 5, second: 3)

  func render() throws(ModelError) -> String {
    try ChatTemplate(source: source).render(variables, date: Self.date)
  }

  private static func fixture(_ name: String) throws -> JSONValue {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let url = folder.appending(path: "Fixtures/chat-templates/\(name).json")
    return try JSONValue.parse(Array(Data(contentsOf: url)))
  }

  /// Small templates, one feature each.
  static func features() throws -> [TemplateCase] {
    let fixture = try fixture("features")
    let variables = fixture["variables"]?.object ?? JSONObject()
    return (fixture["cases"]?.array ?? []).compactMap { entry in
      guard let fields = entry.array, let source = fields[0].string else { return nil }
      return TemplateCase(
        name: source, source: source, variables: variables, expected: fields[1].string)
    }
  }

  /// Templates like those of well-known models, with conversations.
  static func conversations() throws -> [TemplateCase] {
    let fixture = try fixture("conversations")
    return (fixture["cases"]?.array ?? []).compactMap { entry in
      guard let fields = entry.array, let template = fields[0].string,
        let input = fields[1].string, let source = fixture["templates"]?[template]?.string,
        let members = fixture["inputs"]?[input]?.object
      else { return nil }
      var variables = fixture["tokens"]?.object ?? JSONObject()
      for key in members.keys { variables[key] = members[key] }
      return TemplateCase(
        name: "\(template): \(input)", source: source, variables: variables,
        expected: fields[2].string)
    }
  }
}
