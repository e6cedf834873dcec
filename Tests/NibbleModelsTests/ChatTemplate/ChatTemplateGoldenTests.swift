import NibbleCheckpoints
import NibbleModels
import Testing

@Suite("Chat templates against Jinja")
struct ChatTemplateGoldenTests {
  private func check(_ one: TemplateCase) {
    do {
      let output = try one.render()
      if let expected = one.expected {
        #expect(Array(output.utf8) == Array(expected.utf8), "got \(output.debugDescription)")
      } else {
        Issue.record("Jinja refuses this, but it gave \(output.debugDescription)")
      }
    } catch {
      #expect(one.expected == nil, "\(error)")
      #expect(error.code == .template)
      #expect(!error.description.contains("\n"))
    }
  }

  @Test("each feature", arguments: try TemplateCase.features())
  func feature(_ one: TemplateCase) { check(one) }

  @Test("each family of models", arguments: try TemplateCase.conversations())
  func conversation(_ one: TemplateCase) { check(one) }

  @Test("the fixtures are there")
  func counts() throws {
    #expect(try TemplateCase.features().count > 300)
    #expect(try TemplateCase.conversations().count > 200)
  }
}
