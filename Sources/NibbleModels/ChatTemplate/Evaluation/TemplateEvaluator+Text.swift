extension TemplateEvaluator {
  /// Python's `str(value)`: what the value prints as.
  func text(_ value: TemplateValue) throws(ModelError) -> String {
    switch value {
    case .undefined: ""
    case .string(let text): text
    default: try representation(value)
    }
  }

  /// Python's `repr(value)`.
  func representation(_ value: TemplateValue) throws(ModelError) -> String {
    var result = ""
    try represent(value, into: &result)
    try charge(bytes: result.utf8.count)
    return result
  }

  private func represent(_ value: TemplateValue, into result: inout String) throws(ModelError) {
    try charge(bytes: 0)
    guard result.utf8.count <= limits.outputBytes else { return try charge(bytes: .max) }
    switch value {
    case .undefined: result += "Undefined"
    case .none: result += "None"
    case .bool(let value): result += value ? "True" : "False"
    case .integer(let value): result += String(value)
    case .number(let value): result += "\(value)"
    case .string(let text):
      try charge(1 + text.utf8.count / 16)
      PythonText.quote(text, into: &result)
    case .sequence(let sequence): try represent(sequence, into: &result)
    case .dictionary(let dictionary):
      try represent(dictionary.keys, dictionary.values, into: &result)
    case .namespace(let index):
      result += "<Namespace "
      try represent(namespaces[index].keys, namespaces[index].values, into: &result)
      result += ">"
    case .iterator: result += "<generator object>"
    case .macro(let index):
      result += "<Macro "
      if let name = macros[index].macro.name {
        PythonText.quote(name, into: &result)
      } else {
        result += "anonymous"
      }
      result += ">"
    case .loop(let index):
      result += "<LoopContext \(loops[index].index + 1)/\(loops[index].items.count)>"
    case .function(let function): result += "<function \(function.rawValue)>"
    case .method(let method): result += "<method \(method.name) of \(method.receiver.typeName)>"
    }
  }

  private func represent(_ sequence: TemplateSequence, into result: inout String)
    throws(ModelError)
  {
    switch sequence.kind {
    case .range(let start, let stop, let step):
      result += step == 1 ? "range(\(start), \(stop))" : "range(\(start), \(stop), \(step))"
    case .list: try represent(sequence.elements, "[", "]", into: &result)
    case .tuple:
      let end = sequence.elements.count == 1 ? ",)" : ")"
      try represent(sequence.elements, "(", end, into: &result)
    case .keys, .values, .items:
      try represent(sequence.elements, "\(sequence.kind.typeName)([", "])", into: &result)
    }
  }

  private func represent(
    _ elements: [TemplateValue], _ open: String, _ close: String, into result: inout String
  ) throws(ModelError) {
    try enter()
    defer { leave() }
    result += open
    for (index, element) in elements.enumerated() {
      if index > 0 { result += ", " }
      try represent(element, into: &result)
    }
    result += close
  }

  private func represent(
    _ keys: [TemplateValue], _ values: [TemplateValue], into result: inout String
  ) throws(ModelError) {
    try enter()
    defer { leave() }
    result += "{"
    for (index, (key, value)) in zip(keys, values).enumerated() {
      if index > 0 { result += ", " }
      try represent(key, into: &result)
      result += ": "
      try represent(value, into: &result)
    }
    result += "}"
  }
}
