extension TemplateEvaluator {
  /// Sorts the arguments of a call by the names of its parameters, as Python does.
  ///
  /// - Parameters:
  ///   - arguments: what was passed.
  ///   - parameters: all names in order.
  ///   - required: how many of the first ones must be given.
  ///   - what: what is called, for messages.
  /// - Returns: one value for each parameter, nil where none was given.
  /// - Throws: ``ModelError`` when arguments are missing, given twice or too many.
  func bind(
    _ arguments: TemplateCallArguments, _ parameters: [String], required: Int = 0, of what: String
  ) throws(ModelError) -> [TemplateValue?] {
    guard arguments.positional.count <= parameters.count else {
      throw fault("\(what) takes no more than \(parameters.count) arguments")
    }
    var values: [TemplateValue?] = arguments.positional.map { $0 }
    values += [TemplateValue?](repeating: nil, count: parameters.count - values.count)
    for argument in arguments.named {
      guard let index = parameters.firstIndex(of: argument.name) else {
        throw fault("\(what) has no parameter '\(argument.name.prefix(60))'")
      }
      if values[index] != nil {
        throw fault("\(what) is given '\(argument.name)' twice")
      }
      values[index] = argument.value
    }
    for index in 0..<required where values[index] == nil {
      throw fault("\(what) needs the argument '\(parameters[index])'")
    }
    return values
  }

  func integer(_ value: TemplateValue?, or fallback: Int, _ what: String) throws(ModelError) -> Int
  {
    guard let value else { return fallback }
    guard let integer = value.integer else {
      throw misuse(of: value, "use as the \(what), which must be a whole number,")
    }
    return integer
  }

  func text(_ value: TemplateValue?, _ what: String) throws(ModelError) -> String {
    guard let value, let text = value.string else {
      throw misuse(of: value ?? .none, "use as the \(what), which must be a text,")
    }
    return text
  }
}
