extension TemplateEvaluator {
  func callMethod(
    _ name: String, of dictionary: TemplateDictionary, _ arguments: TemplateCallArguments
  ) throws(ModelError) -> TemplateValue {
    let what = "dict.\(name)"
    switch name {
    case "get":
      let values = try bind(arguments, ["key", "default"], required: 1, of: what)
      guard arguments.named.isEmpty else { throw fault("\(what) takes no named arguments") }
      let key = try requiredKey(values[0] ?? .none)
      return dictionary[key] ?? values[1] ?? .none
    case "keys", "values", "items", "copy": _ = try bind(arguments, [], of: what)
    default: throw fault("the method '\(name)' of dictionaries is not supported")
    }
    switch name {
    case "keys": return try sequence(.keys, dictionary.keys)
    case "values": return try sequence(.values, dictionary.values)
    case "copy": return .dictionary(dictionary)
    default: return try sequence(.items, try pairs(of: dictionary))
    }
  }

  /// The members as tuples of key and value.
  func pairs(of dictionary: TemplateDictionary) throws(ModelError) -> [TemplateValue] {
    var pairs: [TemplateValue] = []
    for (key, value) in zip(dictionary.keys, dictionary.values) {
      pairs.append(try sequence(.tuple, [key, value]))
    }
    return pairs
  }

  func callMethod(
    _ name: String, of sequence: TemplateSequence, _ arguments: TemplateCallArguments
  ) throws(ModelError) -> TemplateValue {
    let what = "\(sequence.kind.typeName).\(name)"
    switch name {
    case "count", "index":
      let values = try bind(arguments, ["value"], required: 1, of: what)
      var count = 0
      for (index, element) in sequence.elements.enumerated()
      where try equal(element, values[0] ?? .none) {
        if name == "index" { return .integer(index) }
        count += 1
      }
      guard name == "count" else {
        throw fault("the value is not in the \(sequence.kind.typeName)")
      }
      return .integer(count)
    case "copy" where sequence.kind == .list:
      _ = try bind(arguments, [], of: what)
      return .sequence(sequence)
    default: throw fault("the method '\(name)' of lists is not supported")
    }
  }
}
