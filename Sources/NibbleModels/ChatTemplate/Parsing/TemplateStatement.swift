/// A node of a template's tree.
indirect enum TemplateStatement: Sendable {
  case text(String)
  case output(TemplateExpression)
  case condition(
    [(test: TemplateExpression, body: [TemplateStatement])], otherwise: [TemplateStatement])
  case loop(TemplateLoop)
  case assign(TemplateTarget, TemplateExpression, line: Int)
  case capture(TemplateTarget, filters: TemplateExpression, body: [TemplateStatement], line: Int)
  case macro(TemplateMacro)
  /// `{% call … %}`: the call, and the block that it may call back.
  case callBlock(TemplateExpression, caller: TemplateMacro)
  case filterBlock(TemplateExpression, body: [TemplateStatement])
  case with(
    [(target: TemplateTarget, value: TemplateExpression)], body: [TemplateStatement], line: Int)
  case generation([TemplateStatement])
  case evaluate(TemplateExpression)
  case breakLoop
  case continueLoop
}

/// What a value can be assigned to.
indirect enum TemplateTarget: Sendable {
  case name(String)
  case member(namespace: String, name: String)
  case tuple([TemplateTarget])
}

/// `{% for target in items if filter %} body {% else %} otherwise {% endfor %}`.
struct TemplateLoop: Sendable {
  let target: TemplateTarget
  let items: TemplateExpression
  let filter: TemplateExpression?
  let body: [TemplateStatement]
  let otherwise: [TemplateStatement]
  let line: Int
}

/// A macro, or the block of a `{% call %}`, which is one without a name.
final class TemplateMacro: Sendable {
  let name: String?
  let parameters: [(name: String, fallback: TemplateExpression?)]
  let body: [TemplateStatement]
  /// Which of `caller`, `kwargs` and `varargs` the body reads.
  let specialNames: Set<String>
  let line: Int

  init(
    name: String?, parameters: [(name: String, fallback: TemplateExpression?)],
    body: [TemplateStatement], specialNames: Set<String>, line: Int
  ) {
    self.name = name
    self.parameters = parameters
    self.body = body
    self.specialNames = specialNames
    self.line = line
  }
}
