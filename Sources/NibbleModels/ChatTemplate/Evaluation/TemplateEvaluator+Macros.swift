/// The values that a call passes.
struct TemplateCallArguments {
  var positional: [TemplateValue] = []
  var named: [(name: String, value: TemplateValue)] = []

  /// Takes out the named argument `name`.
  mutating func take(_ name: String) -> TemplateValue? {
    guard let index = named.firstIndex(where: { $0.name == name }) else { return nil }
    return named.remove(at: index).value
  }
}

extension TemplateEvaluator {
  /// Makes `macro` a value that sees the names of the present scope.
  func define(_ macro: TemplateMacro) throws(ModelError) -> TemplateValue {
    try charge(16)
    macros.append((macro, scope))
    return .macro(macros.count - 1)
  }

  /// `{% call … %}`: makes the call with the block as its `caller`.
  func run(_ call: TemplateExpression, caller: TemplateMacro) throws(ModelError) {
    guard case .call(let callee, let arguments) = call.kind else { return }
    let function = try evaluate(callee)
    var values = try evaluate(arguments)
    line = call.line
    guard !values.named.contains(where: { $0.name == "caller" }) else {
      throw fault("'caller' is given twice")
    }
    values.named.append(("caller", try define(caller)))
    try emit(try text(try self.call(function, values)))
  }

  /// Runs the macro number `index` and returns its text.
  func callMacro(_ index: Int, _ arguments: TemplateCallArguments) throws(ModelError)
    -> TemplateValue
  {
    try charge(8)
    let (macro, definition) = macros[index]
    let name = macro.name.map { "the macro '\($0)'" } ?? "the block of the call"
    var arguments = arguments
    var values: [TemplateValue?] = arguments.positional.prefix(macro.parameters.count).map { $0 }
    for parameter in macro.parameters.dropFirst(values.count) {
      values.append(arguments.take(parameter.name))
    }
    let extra = Array(arguments.positional.dropFirst(macro.parameters.count))
    guard extra.isEmpty || macro.specialNames.contains("varargs") else {
      throw fault("\(name) takes no more than \(macro.parameters.count) arguments")
    }

    let inner = TemplateScope(parent: definition)
    if macro.specialNames.contains("caller"),
      !macro.parameters.contains(where: { $0.name == "caller" })
    {
      inner.set("caller", arguments.take("caller") ?? .undefined("no caller is defined"))
    }
    if macro.specialNames.contains("kwargs") {
      var builder = TemplateDictionaryBuilder()
      for argument in arguments.named { builder.set(argument.name, argument.value) }
      inner.set("kwargs", try dictionary(builder))
    } else if let argument = arguments.named.first {
      throw fault("\(name) has no parameter '\(argument.name)'")
    }
    if macro.specialNames.contains("varargs") {
      inner.set("varargs", try sequence(.tuple, extra))
    }

    try enter()
    defer { leave() }
    let (outer, callLine) = (scope, line)
    scope = inner
    for (parameter, value) in zip(macro.parameters, values) {
      if let value {
        inner.set(parameter.name, value)
      } else if let fallback = parameter.fallback {
        inner.set(parameter.name, try evaluate(fallback))
      } else {
        inner.set(parameter.name, .undefined("the parameter '\(parameter.name)' was not given"))
      }
    }
    let text = try capture(macro.body)
    scope = outer
    line = callLine
    return try string(text)
  }
}
