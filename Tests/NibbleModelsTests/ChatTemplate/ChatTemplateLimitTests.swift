import Foundation
import NibbleCheckpoints
import NibbleModels
import Synchronization
import Testing

@Suite("Limits of chat templates")
struct ChatTemplateLimitTests {
  /// Half a mebibyte is the smallest stack that a system gives a thread. Without optimization the
  /// interpreter's frames are larger.
  #if DEBUG
    private static let stackByteCount = 2 << 20
  #else
    private static let stackByteCount = 512 << 10
  #endif

  /// What a template does on a thread with a small stack.
  private func outcome(
    _ source: String, _ variables: JSONObject = JSONObject(), steps: Int = 1_000_000
  ) -> String {
    var limits = TemplateLimits()
    limits.steps = steps
    let chosen = limits
    let result = Mutex("nothing")
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
      do {
        let text = try ChatTemplate(source: source, limits: chosen).render(variables)
        result.withLock { $0 = "text of \(text.utf8.count) bytes" }
      } catch {
        result.withLock { $0 = "\(error)" }
      }
      done.signal()
    }
    thread.stackSize = Self.stackByteCount
    thread.start()
    done.wait()
    return result.withLock { $0 }
  }

  private func repeated(_ text: String, _ count: Int) -> String {
    String(repeating: text, count: count)
  }

  @Test("hostile source is refused while it is read")
  func source() {
    #expect(outcome(repeated("x", 2 << 20)).contains("at most 1048576 are allowed"))
    #expect(
      outcome("{{ " + repeated("(", 5000) + repeated(")", 5000) + " }}").contains(
        "nested deeper than 64"))
    #expect(
      outcome("{{ " + repeated("[", 5000) + repeated("]", 5000) + " }}").contains(
        "nested deeper than 64"))
    #expect(
      outcome("{{ " + repeated("{1:", 5000) + repeated("}", 5000) + " }}").contains(
        "nested deeper than 64"))
    #expect(outcome("{{ " + repeated("not ", 5000) + "1 }}").contains("nested deeper than 64"))
    #expect(outcome("{{ " + repeated("- ", 5000) + "1 }}").contains("nested deeper than 64"))
    #expect(outcome("{{ " + repeated("1 if 1 else ", 5000) + "1 }}").contains("deeper than 64"))
    #expect(outcome("{{ 1" + repeated("+1", 5000) + " }}").contains("deeper than 160 levels"))
    #expect(outcome("{{ 1" + repeated("|abs", 5000) + " }}").contains("deeper than 160 levels"))
    #expect(outcome("{{ x" + repeated(".x", 5000) + " }}").contains("deeper than 160 levels"))
    #expect(outcome(repeated("{% if 1 %}", 5000)).contains("nested deeper than 64 levels"))
    #expect(outcome(repeated("{% macro m() %}", 5000)).contains("nested deeper than 64 levels"))
    #expect(
      outcome("{% set " + repeated("(", 5000) + repeated(")", 5000) + " %}").contains(
        "nested deeper than 64"))
    #expect(outcome(repeated("{%", 200_000)).contains("line 1"))
    #expect(outcome(repeated("{{", 200_000)).contains("line 1"))
    #expect(outcome("{{ '" + repeated("\\", 200_000)).contains("a string does not end"))
  }

  @Test("deep but lawful templates run")
  func deep() {
    #expect(outcome("{{ 1" + repeated("+1", 150) + " }}") == "text of 3 bytes")
    #expect(outcome("{{ " + repeated("(", 60) + "1" + repeated(")", 60) + " }}").hasPrefix("text"))
    let nested = repeated("{% if 1 %}", 60) + "x" + repeated("{% endif %}", 60)
    #expect(outcome(nested) == "text of 1 bytes")
  }

  @Test("runs that do not end are ended")
  func time() {
    let loop = "{% for a in range(99999) %}"
    let end = "{% endfor %}"
    #expect(outcome(loop + loop + end + end).contains("did not end within 1000000 steps"))
    let steps = TemplateLimits().steps
    #expect(outcome(loop + loop + end + end, steps: steps).contains("within 10000000 steps"))
    #expect(
      outcome("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").contains("deeper than 300 levels"))
    #expect(
      outcome("{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}").contains("deeper than"))
  }

  @Test(
    "values that grow without end are refused",
    arguments: [
      "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
      "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
      "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
      "{% set ns = namespace(x=[1]) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}",
      "{% set ns = namespace(x=1) %}{% for i in range(999) %}{% set ns.x = {'a': ns.x} %}{% endfor %}",
      "{% set ns = namespace(x=[]) %}{% for i in range(999) %}{% set ns.x = [ns.x.index] %}{% endfor %}",
      "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
      "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
      "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
      "{% set ns = namespace(x=(1,), y=(1,)) %}{% for i in range(99) %}{% set ns.x = (ns.x, ns.x) %}{% set ns.y = (ns.y, ns.y) %}{% endfor %}{{ ns.x < ns.y }}",
      "{% set ns = namespace(x=(1,)) %}{% for i in range(99) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}{{ {ns.x: 1} }}",
      "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
      "{% set ns = namespace() %}{% set ns.x = [ns, ns, ns] %}{{ ns }}",
      "{{ 'a' * 10 ** 9 }}",
      "{{ [1] * 10 ** 9 }}",
      "{{ 'a' * 9223372036854775807 }}",
      "{{ ('a' * 10 ** 6) | replace('a', 'b' * 10 ** 4) }}",
      "{{ [[[[1]]]] | tojson(indent='x' * 10 ** 7) }}",
      "{{ ['a'] * 10 ** 5 | join('x' * 10 ** 4) }}",
      "{{ ('\\n' * 10 ** 5) | indent(10 ** 5, blank=true) }}",
      "{{ 10 ** 19 }}",
      "{{ 9223372036854775807 + 1 }}",
      "{{ -9223372036854775807 - 2 }}",
      "{{ (-9223372036854775807 - 1) // -1 }}",
      "{{ -(-9223372036854775807 - 1) }}",
      "{{ (-9223372036854775807 - 1) | abs }}",
      "{{ 9223372036854775808 }}",
      "{{ 1e300 | int }}",
      "{{ 9223372036854775807 | round(-3) }}",
      "{{ range(10 ** 18) }}",
      "{% for i in range(300) %}{{ 'x' * 99999 }}{% endfor %}",
    ])
  func growth(_ source: String) {
    let outcome = outcome(source)
    #expect(outcome.hasPrefix("chat template, line 1: "), "\(outcome)")
  }

  @Test("extreme but lawful numbers")
  func numbers() throws {
    let source = """
      {{ (-9223372036854775807 - 1) % -1 }} {{ [1, 2, 3][-9223372036854775807:9223372036854775807] }} \
      {{ 'abc'[::9223372036854775807] }} {{ 'abc'[::-9223372036854775807] }} \
      {{ [1][9223372036854775807] }}{{ 'a'[-9223372036854775807] }}{{ 'a' * -9223372036854775807 }}
      """
    #expect(try ChatTemplate(source: source).render(JSONObject()) == "0 [1, 2, 3] a c ")
  }

  @Test("deep input is refused, and closures do not pile up on the stack")
  func input() {
    var value: JSONValue = 1
    for _ in 0..<400 { value = .array([value]) }
    #expect(outcome("{{ x }}", JSONObject(["x": value])).contains("nested deeper than 220"))
    let chain = """
      {% set ns = namespace(f=none) %}{% macro hold(g) %}{% macro h() %}{{ g }}{% endmacro %}\
      {% set ns.f = h %}{% endmacro %}{% for i in range(20000) %}{{ hold(ns.f) }}{% endfor %}
      """
    #expect(outcome(chain) == "text of 0 bytes")
  }
}
