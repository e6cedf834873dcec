extension TemplateEvaluator {
  /// Applies the filter `name` to `value`: finds its group by name.
  func filter(_ name: String, _ value: TemplateValue, _ arguments: TemplateCallArguments)
    throws(ModelError) -> TemplateValue
  {
    switch name {
    case "tojson": return try json(value, arguments)
    case "default", "d":
      let options = try bind(arguments, ["default_value", "boolean"], of: "the filter '\(name)'")
      let isMissing = value.isUndefined || (options[1]?.isTrue == true && !value.isTrue)
      return isMissing ? options[0] ?? .string("") : value
    case "string", "safe":
      _ = try bind(arguments, [], of: "the filter '\(name)'")
      return try string(try text(value))
    case "format":
      let text = try text(value)
      guard !arguments.named.isEmpty else {
        return try format(text, try sequence(.tuple, arguments.positional))
      }
      guard arguments.positional.isEmpty else {
        throw fault("the filter 'format' takes values with names or without, not both")
      }
      var members = TemplateDictionaryBuilder()
      for argument in arguments.named { members.set(argument.name, argument.value) }
      return try format(text, try dictionary(members))
    case "trim", "upper", "lower", "capitalize", "title", "replace", "indent", "escape", "e",
      "forceescape", "wordcount":
      return try textFilter(name, try text(value), arguments)
    case "length", "count", "first", "last", "list", "reverse", "join", "items", "sum", "attr":
      return try sequenceFilter(name, value, arguments)
    case "map": return try map(value, arguments)
    case "select", "reject", "selectattr", "rejectattr":
      return try select(name, value, arguments)
    case "sort": return try sort(value, arguments)
    case "dictsort": return try sortDictionary(value, arguments)
    case "unique": return try unique(value, arguments)
    case "min", "max": return try extreme(name, value, arguments)
    case "int", "float", "abs", "round": return try numberFilter(name, value, arguments)
    default: throw fault("the filter '\(name.prefix(60))' is not supported")
    }
  }

  // MARK: Text

  private func textFilter(_ name: String, _ text: String, _ arguments: TemplateCallArguments)
    throws(ModelError) -> TemplateValue
  {
    let what = "the filter '\(name)'"
    try charge(1 + text.utf8.count / 16)
    switch name {
    case "trim":
      let characters = try bind(arguments, ["chars"], of: what)[0]
      return try strip(text, characters, start: true, end: true)
    case "replace":
      let values = try bind(arguments, ["old", "new", "count"], required: 2, of: what)
      var limit = -1
      if let count = values[2], case .none = count {
      } else {
        limit = try integer(values[2], or: -1, "count")
      }
      return try string(
        try replace(
          try self.text(values[0] ?? .none), in: text, with: try self.text(values[1] ?? .none),
          limit: limit < 0 ? .max : limit))
    case "indent": return try indent(text, arguments)
    default: _ = try bind(arguments, [], of: what)
    }
    switch name {
    case "upper": return try string(text.uppercased())
    case "lower": return try string(text.lowercased())
    case "capitalize": return try string(PythonText.capitalized(text))
    case "title": return try string(PythonText.titledByWords(text))
    case "wordcount": return .integer(PythonText.wordCount(text))
    default: return try string(PythonText.escapedForHTML(text))
    }
  }

  private func indent(_ text: String, _ arguments: TemplateCallArguments) throws(ModelError)
    -> TemplateValue
  {
    let values = try bind(
      arguments, ["width", "first", "blank"], of: "the filter 'indent'")
    var indentation = "    "
    if case .string(let given)? = values[0] {
      indentation = given
    } else if values[0] != nil {
      let width = max(0, try integer(values[0], or: 4, "width"))
      try charge(bytes: width)
      indentation = PythonText.repeated(" ", width)
    }
    let indentsFirst = values[1]?.isTrue ?? false
    let indentsBlank = values[2]?.isTrue ?? false
    var lines = PythonText.lines(text + "\n", keepsEnds: false)
    let (growth, overflow) = indentation.utf8.count.multipliedReportingOverflow(by: lines.count)
    try charge(bytes: overflow ? .max : growth)
    for index in lines.indices.dropFirst() where indentsBlank || !lines[index].isEmpty {
      lines[index] = indentation + lines[index]
    }
    if indentsFirst, !lines.isEmpty { lines[0] = indentation + lines[0] }
    return try string(lines.joined(separator: "\n"))
  }
}
