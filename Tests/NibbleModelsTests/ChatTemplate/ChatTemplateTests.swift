import NibbleCheckpoints
import NibbleModels
import Testing

@Suite("Chat templates")
struct ChatTemplateTests {
  private func failure(_ source: String) -> String {
    do {
      return "gave " + (try ChatTemplate(source: source).render(JSONObject()))
    } catch {
      return error.message
    }
  }

  @Test("what is lacking is named with its line")
  func lacking() {
    #expect(
      failure("a\n\n{{ 1 | xyz }}") == "chat template, line 3: the filter 'xyz' is not supported")
    #expect(
      failure("{% if 1 is prime %}{% endif %}")
        == "chat template, line 1: the test 'prime' is not supported")
    #expect(
      failure("\n{% include 'x' %}")
        == "chat template, line 2: the statement 'include' is not supported")
    #expect(
      failure("{{ 'a'.zfill(3) }}")
        == "chat template, line 1: the method 'zfill' of texts is not supported")
    #expect(failure("{% for a in b recursive %}{% endfor %}").contains("recursive loops are not"))
    #expect(failure("{{ '{:>3}'.format(1) }}").contains("the format field '{:>3}' is not"))
    #expect(failure("{{ '\\N{DASH}' }}").contains("not supported"))
    #expect(failure("{{ cycler(1) }}").contains("the function 'cycler' is not supported"))
    #expect(failure("{{ strftime_now('%Q') }}").contains("the date format '%Q' is not supported"))
    #expect(
      failure("{{ raise_exception('no ' ~ 'tools') }}")
        == "chat template, line 1: the template refuses this conversation: no tools")
    #expect(
      failure("\n{{ a\n.b }}") == "chat template, line 3: 'a' is undefined")
  }

  @Test("what is lacking does not matter where it is not reached")
  func unreached() {
    #expect(failure("{% if false %}{{ 1 | xyz is prime }}{% endif %}x") == "gave x")
  }

  @Test("messages, tokens, tools and further variables reach the template")
  func variables() throws {
    let template = try ChatTemplate(
      source: """
        {{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}\
        {{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}{{ enable_thinking }}
        """)
    let messages = [
      ChatMessage(role: "system", content: "a"), ChatMessage(role: "user", content: "é"),
    ]
    let plain = try template.render(
      messages: messages, addGenerationPrompt: true, specialTokens: ["bos_token": "<s>"])
    #expect(plain == "<s>system:a;user:é;TrueTrueTrue")
    let full = try template.render(
      messages: messages, addGenerationPrompt: false, specialTokens: [:], tools: [],
      extra: JSONObject(["enable_thinking": false]))
    #expect(full == "system:a;user:é;FalseTrueFalseFalse")
  }

  @Test("messages carry tool calls and keep the order of their members")
  func messages() throws {
    let json: JSONValue = [
      "role": "assistant", "content": nil, "tool_calls": [["name": "f", "arguments": ["b": 1]]],
    ]
    var message = try ChatMessage(json: json)
    #expect(message.role == "assistant")
    #expect(message.content == "")
    let template = try ChatTemplate(source: "{{ messages[0] | tojson }}")
    let text = try template.render(
      messages: [message], addGenerationPrompt: false, specialTokens: [:])
    #expect(
      text
        == #"{"role": "assistant", "content": null, "tool_calls": [{"name": "f", "arguments": {"b": 1}}]}"#
    )
    message.content = "x"
    #expect(message.members["content"] == "x")
    #expect(throws: ModelError.self) { try ChatMessage(json: "hello") }
    #expect(throws: ModelError.self) { try ChatMessage(json: ["content": "x"]) }
  }

  @Test(
    "dates as strftime writes them",
    arguments: [
      (TemplateDate(year: 2000, month: 2, day: 29), "Tue 29 Feb 2000 060 12 AM"),
      (TemplateDate(year: 2023, month: 1, day: 1), "Sun 01 Jan 2023 001 12 AM"),
      (TemplateDate(year: 2024, month: 12, day: 31, hour: 12), "Tue 31 Dec 2024 366 12 PM"),
      (TemplateDate(year: 2026, month: 7, day: 4, hour: 23), "Sat 04 Jul 2026 185 11 PM"),
      (TemplateDate(year: 1900, month: 3, day: 1, hour: 1), "Thu 01 Mar 1900 060 01 AM"),
    ])
  func dates(_ date: TemplateDate, _ expected: String) throws {
    let template = try ChatTemplate(source: "{{ strftime_now('%a %d %b %Y %j %I %p') }}")
    #expect(try template.render(JSONObject(), date: date) == expected)
  }

  @Test("without a date the present one is used")
  func now() throws {
    let text = try ChatTemplate(source: "{{ strftime_now('%Y') }}").render(JSONObject())
    #expect((Int(text) ?? 0) >= 2024)
  }
}
