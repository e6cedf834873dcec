extension TemplateEvaluator {
  func sequenceFilter(
    _ name: String, _ value: TemplateValue, _ arguments: TemplateCallArguments
  ) throws(ModelError) -> TemplateValue {
    let what = "the filter '\(name)'"
    switch name {
    case "join":
      let values = try bind(arguments, ["d", "attribute"], of: what)
      let separator = try text(values[0] ?? .string(""))
      var parts = try elements(of: value)
      if let attribute = values[1], !isNone(attribute) {
        let path = try attributePaths(attribute, severalAllowed: false)[0]
        for index in parts.indices {
          parts[index] = try follow(path, from: parts[index], fallback: nil)
        }
      }
      return try joined(parts, separator)
    case "sum":
      let values = try bind(arguments, ["attribute", "start"], of: what)
      let path = try attributePaths(values[0], severalAllowed: false)[0]
      var total = values[1] ?? .integer(0)
      for item in try elements(of: value) {
        total = try arithmetic(.add, total, try follow(path, from: item, fallback: nil))
      }
      return total
    case "attr":
      let member = try text(try bind(arguments, ["name"], required: 1, of: what)[0], "name")
      if case .dictionary = value, !TemplateMethodNames.dictionaries.contains(member) {
        return .undefined("a dict has no attribute '\(member.prefix(100))'")
      }
      return try attribute(member, of: value)
    default: _ = try bind(arguments, [], of: what)
    }
    switch name {
    case "length", "count": return .integer(try length(of: value))
    case "first":
      if case .iterator(let iterator) = value {
        return iterator.next() ?? .undefined("an empty row has no first item")
      }
      return try elements(of: value).first ?? .undefined("an empty row has no first item")
    case "last":
      if case .iterator = value { throw misuse(of: value, "take the last item of") }
      return try elements(of: value).last ?? .undefined("an empty row has no last item")
    case "list": return try list(try elements(of: value))
    case "items": return try items(of: value)
    default: return try reversed(value)
    }
  }

  private func isNone(_ value: TemplateValue) -> Bool {
    if case .none = value { true } else { false }
  }

  /// Python's `len(value)`.
  func length(of value: TemplateValue) throws(ModelError) -> Int {
    switch value {
    case .undefined: return 0
    case .string(let text):
      try charge(1 + text.utf8.count / 16)
      return text.unicodeScalars.count
    case .sequence(let sequence): return sequence.elements.count
    case .dictionary(let dictionary): return dictionary.keys.count
    case .loop(let index): return loops[index].items.count
    default: throw misuse(of: value, "count the elements of")
    }
  }

  private func items(of value: TemplateValue) throws(ModelError) -> TemplateValue {
    switch value {
    case .undefined: return try iterator([])
    case .dictionary(let dictionary): return try iterator(try pairs(of: dictionary))
    default: throw misuse(of: value, "take the items of")
    }
  }

  private func reversed(_ value: TemplateValue) throws(ModelError) -> TemplateValue {
    if case .string(let text) = value {
      try charge(1 + text.utf8.count / 16)
      return try string(String(String.UnicodeScalarView(text.unicodeScalars.reversed())))
    }
    return try iterator(try elements(of: value).reversed())
  }

  // MARK: Attributes by name

  /// One step of a path such as `function.arguments.0`.
  private func steps(of path: String) -> [TemplateValue] {
    path.split(separator: ".", omittingEmptySubsequences: false).map { part in
      let isNumber = !part.isEmpty && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
      return (isNumber ? Int(part) : nil).map { .integer($0) } ?? .string(String(part))
    }
  }

  /// The paths that the argument `attribute` of a filter names; one empty path where it is absent.
  func attributePaths(_ attribute: TemplateValue?, severalAllowed: Bool) throws(ModelError)
    -> [[TemplateValue]]
  {
    switch attribute {
    case nil, .some(.none): return [[]]
    case .some(.string(let text)):
      try charge(1 + text.utf8.count)
      guard severalAllowed else { return [steps(of: text)] }
      return text.split(separator: ",", omittingEmptySubsequences: false).map {
        steps(of: String($0))
      }
    case .some(let value): return [[value]]
    }
  }

  func follow(_ path: [TemplateValue], from item: TemplateValue, fallback: TemplateValue?)
    throws(ModelError) -> TemplateValue
  {
    var item = item
    try charge()
    for step in path {
      try charge()
      item = try element(step, of: item)
      if item.isUndefined, let fallback { item = fallback }
    }
    return item
  }

  // MARK: Filters that apply others

  func map(_ value: TemplateValue, _ arguments: TemplateCallArguments) throws(ModelError)
    -> TemplateValue
  {
    guard value.isTrue else { return try iterator([]) }
    try enter()
    defer { leave() }
    var arguments = arguments
    var result: [TemplateValue] = []
    if arguments.positional.isEmpty, let attribute = arguments.take("attribute") {
      var fallback = arguments.take("default")
      if let given = fallback, isNone(given) { fallback = nil }
      if let other = arguments.named.first {
        throw fault("the filter 'map' has no parameter '\(other.name.prefix(60))'")
      }
      let path = try attributePaths(attribute, severalAllowed: false)[0]
      for item in try elements(of: value) {
        result.append(try follow(path, from: item, fallback: fallback))
      }
      return try iterator(result)
    }
    guard !arguments.positional.isEmpty else {
      throw fault("the filter 'map' needs the name of a filter or an attribute")
    }
    let name = try text(arguments.positional.removeFirst(), "name of a filter")
    for item in try elements(of: value) {
      try charge()
      result.append(try filter(name, item, arguments))
    }
    return try iterator(result)
  }

  /// `select`, `reject`, `selectattr` and `rejectattr`.
  func select(_ name: String, _ value: TemplateValue, _ arguments: TemplateCallArguments)
    throws(ModelError) -> TemplateValue
  {
    guard value.isTrue else { return try iterator([]) }
    var arguments = arguments
    var path: [TemplateValue] = []
    if name == "selectattr" || name == "rejectattr" {
      guard !arguments.positional.isEmpty else {
        throw fault("the filter '\(name)' needs the name of an attribute")
      }
      path = try attributePaths(arguments.positional.removeFirst(), severalAllowed: false)[0]
    }
    var testName: String?
    if !arguments.positional.isEmpty {
      testName = try text(arguments.positional.removeFirst(), "name of a test")
    }
    let keeps = name == "select" || name == "selectattr"
    var result: [TemplateValue] = []
    for item in try elements(of: value) {
      try charge()
      let tested = try follow(path, from: item, fallback: nil)
      let isSelected: Bool
      if let testName {
        isSelected = try test(testName, tested, arguments)
      } else {
        isSelected = tested.isTrue
      }
      if isSelected == keeps { result.append(item) }
    }
    return try iterator(result)
  }
}
