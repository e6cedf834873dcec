extension TemplateEvaluator {
  /// Calls a value.
  func call(_ function: TemplateValue, _ arguments: TemplateCallArguments) throws(ModelError)
    -> TemplateValue
  {
    switch function {
    case .undefined(let message): throw fault(message)
    case .macro(let index): return try callMacro(index, arguments)
    case .function(let function): return try call(function, arguments)
    case .method(let method):
      switch method.receiver {
      case .string(let text): return try callMethod(method.name, of: text, arguments)
      case .loop(let index): return try callLoop(method.name, index, arguments)
      case .dictionary(let dictionary):
        return try callMethod(method.name, of: dictionary, arguments)
      case .sequence(let sequence): return try callMethod(method.name, of: sequence, arguments)
      default: throw fault("a \(method.receiver.typeName) has no method '\(method.name)'")
      }
    default: throw fault("a \(function.typeName) cannot be called")
    }
  }

  private func call(_ function: TemplateFunction, _ arguments: TemplateCallArguments)
    throws(ModelError) -> TemplateValue
  {
    switch function {
    case .range: return try range(arguments)
    case .dictionary: return try dictionary(try members(arguments))
    case .namespace:
      try charge(16)
      namespaces.append(try members(arguments))
      return .namespace(namespaces.count - 1)
    case .raiseException:
      let message = try bind(arguments, ["message"], required: 1, of: "raise_exception")[0]
      let text = try text(message ?? .none)
      throw fault("the template refuses this conversation: \(text)")
    case .strftimeNow:
      let format = try text(
        try bind(arguments, ["format"], required: 1, of: "strftime_now")[0], "format of a date")
      guard let text = (date ?? .now()).formatted(format) else {
        throw fault("the date format '\(format.prefix(60))' is not supported")
      }
      return try string(text)
    }
  }

  private func range(_ arguments: TemplateCallArguments) throws(ModelError) -> TemplateValue {
    guard arguments.named.isEmpty, (1...3).contains(arguments.positional.count) else {
      throw fault("range takes one to three whole numbers")
    }
    var bounds: [Int] = []
    for value in arguments.positional { bounds.append(try integer(value, or: 0, "bound of range")) }
    let (start, stop) = bounds.count == 1 ? (0, bounds[0]) : (bounds[0], bounds[1])
    let step = bounds.count == 3 ? bounds[2] : 1
    guard step != 0 else { throw fault("the step of range is zero") }
    var elements: [TemplateValue] = []
    for value in stride(from: start, to: stop, by: step) {
      guard elements.count < 100_000 else { throw fault("range has more than 100000 numbers") }
      elements.append(.integer(value))
    }
    return try sequence(.range(start: start, stop: stop, step: step), elements)
  }

  /// The members that `dict(…)` and `namespace(…)` make of their arguments.
  private func members(_ arguments: TemplateCallArguments) throws(ModelError)
    -> TemplateDictionaryBuilder
  {
    var builder = TemplateDictionaryBuilder()
    guard arguments.positional.count <= 1 else {
      throw fault("dict and namespace take no more than one value without a name")
    }
    if case .dictionary(let dictionary)? = arguments.positional.first {
      builder = TemplateDictionaryBuilder(dictionary)
    } else if let value = arguments.positional.first {
      for pair in try elements(of: value) {
        let parts = try elements(of: pair)
        guard parts.count == 2 else { throw fault("a dictionary needs pairs of key and value") }
        builder.set(try requiredKey(parts[0]), parts[0], parts[1])
      }
    }
    for argument in arguments.named { builder.set(argument.name, argument.value) }
    try charge(1 + builder.keys.count)
    return builder
  }

  private func callLoop(_ name: String, _ index: Int, _ arguments: TemplateCallArguments)
    throws(ModelError) -> TemplateValue
  {
    guard arguments.named.isEmpty else { throw fault("loop.\(name) takes no named arguments") }
    let values = arguments.positional
    if name == "cycle" {
      guard !values.isEmpty else { throw fault("loop.cycle needs arguments") }
      return values[loops[index].index % values.count]
    }
    if let last = loops[index].lastChanged, try equal(last, values) { return .bool(false) }
    loops[index].lastChanged = values
    return .bool(true)
  }
}
