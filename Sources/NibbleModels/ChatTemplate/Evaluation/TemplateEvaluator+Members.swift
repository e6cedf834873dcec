extension TemplateEvaluator {
  /// `value.name`: an attribute or method, else the element under that key.
  func attribute(_ name: String, of value: TemplateValue) throws(ModelError) -> TemplateValue {
    if case .undefined(let message) = value { throw fault(message) }
    if let member = try member(name, of: value) { return member }
    if case .dictionary(let dictionary) = value {
      try charge(1 + name.utf8.count / 64)
      if let element = dictionary[.string(ExactString(name))] { return element }
    }
    return .undefined("a \(value.typeName) has no attribute '\(name.prefix(100))'")
  }

  /// `value[key]`: the element under the key, else the attribute or method of that name.
  func element(_ key: TemplateValue, of value: TemplateValue) throws(ModelError) -> TemplateValue {
    switch value {
    case .undefined(let message): throw fault(message)
    case .dictionary(let dictionary):
      if let place = try self.key(key), let element = dictionary[place] { return element }
    case .sequence(let sequence) where sequence.kind.hasIndexes:
      if let index = key.integer {
        let position = index < 0 ? index + sequence.elements.count : index
        if sequence.elements.indices.contains(position) { return sequence.elements[position] }
        return .undefined("a \(value.typeName) has no element \(index)")
      }
    case .string(let text):
      if let index = key.integer { return try character(index, of: text) }
    default: break
    }
    if let name = key.string, let member = try member(name, of: value) { return member }
    return .undefined(
      "a \(value.typeName) has no element \((try representation(key)).prefix(100))")
  }

  private func character(_ index: Int, of text: String) throws(ModelError) -> TemplateValue {
    try charge(1 + text.utf8.count / 16)
    let scalars = text.unicodeScalars
    let found =
      index >= 0
      ? scalars.index(scalars.startIndex, offsetBy: index, limitedBy: scalars.endIndex)
      : scalars.index(scalars.endIndex, offsetBy: index, limitedBy: scalars.startIndex)
    guard let found, found < scalars.endIndex else {
      return .undefined("a str has no element \(index)")
    }
    return .string(String(scalars[found]))
  }

  /// What Python's `getattr` finds on `value`; nil where it finds nothing.
  private func member(_ name: String, of value: TemplateValue) throws(ModelError) -> TemplateValue?
  {
    if name.utf8.starts(with: "__".utf8) {
      return .undefined("the attribute '\(name.prefix(100))' is not safe")
    }
    switch value {
    case .namespace(let index): return namespaces[index].value(name)
    case .loop(let index): return try loopMember(name, index)
    case .macro(let index):
      return name == "name"
        ? macros[index].macro.name.map { .string($0) } ?? TemplateValue.none : nil
    case .string: return TemplateMethodNames.strings.contains(name) ? try method(value, name) : nil
    case .dictionary:
      if TemplateMethodNames.mutatingDictionaries.contains(name) { return forbidden(name) }
      return TemplateMethodNames.dictionaries.contains(name) ? try method(value, name) : nil
    case .sequence(let sequence):
      if sequence.kind == .list, TemplateMethodNames.mutatingLists.contains(name) {
        return forbidden(name)
      }
      let isFound = sequence.kind.hasIndexes && TemplateMethodNames.lists.contains(name)
      return isFound ? try method(value, name) : nil
    default: return nil
    }
  }

  private func forbidden(_ name: String) -> TemplateValue {
    .undefined("'\(name)' would change a value, which templates must not do")
  }

  private func loopMember(_ name: String, _ index: Int) throws(ModelError) -> TemplateValue? {
    let loop = loops[index]
    let count = loop.items.count
    switch name {
    case "index": return .integer(loop.index + 1)
    case "index0": return .integer(loop.index)
    case "revindex": return .integer(count - loop.index)
    case "revindex0": return .integer(count - loop.index - 1)
    case "first": return .bool(loop.index == 0)
    case "last": return .bool(loop.index + 1 >= count)
    case "length": return .integer(count)
    case "depth": return .integer(1)
    case "depth0": return .integer(0)
    case "previtem":
      guard loop.index > 0, loop.index <= count else {
        return .undefined("there is no previous item")
      }
      return loop.items[loop.index - 1]
    case "nextitem":
      guard loop.index + 1 < count else { return .undefined("there is no next item") }
      return loop.items[loop.index + 1]
    case "cycle", "changed": return try method(.loop(index), name)
    default: return nil
    }
  }

  // MARK: Slices

  /// `value[start:stop:step]`, with Python's meaning of negative and absent bounds.
  func slice(_ value: TemplateValue, _ start: Int?, _ stop: Int?, step: Int) throws(ModelError)
    -> TemplateValue
  {
    if case .undefined(let message) = value { throw fault(message) }
    guard step != 0 else { throw fault("the step of a slice is zero") }
    if case .string(let text) = value {
      try charge(1 + text.utf8.count / 16)
      let scalars = Array(text.unicodeScalars)
      var result = String.UnicodeScalarView()
      for index in try positions(scalars.count, start, stop, step) { result.append(scalars[index]) }
      return try string(String(result))
    }
    guard case .sequence(let sequence) = value, sequence.kind.hasIndexes else {
      throw fault("a \(value.typeName) cannot be sliced")
    }
    var elements: [TemplateValue] = []
    for index in try positions(sequence.elements.count, start, stop, step) {
      elements.append(sequence.elements[index])
    }
    return try self.sequence(sequence.kind == .tuple ? .tuple : .list, elements)
  }

  private func positions(_ count: Int, _ start: Int?, _ stop: Int?, _ step: Int)
    throws(ModelError) -> [Int]
  {
    let (low, high) = step > 0 ? (0, count) : (-1, count - 1)
    func clamped(_ bound: Int?, _ fallback: Int) -> Int {
      guard let bound else { return fallback }
      return min(max(bound < 0 ? bound + count : bound, low), high)
    }
    let first = clamped(start, step > 0 ? low : high)
    let last = clamped(stop, step > 0 ? high : low)
    let result = Array(stride(from: first, to: last, by: step))
    try charge(result.count)
    return result
  }
}

/// The methods of Python's types that templates may call, or may not.
enum TemplateMethodNames {
  static let strings: Set<String> = [
    "capitalize", "casefold", "count", "encode", "endswith", "expandtabs", "find", "format",
    "format_map", "index", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier",
    "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper", "join", "ljust",
    "center", "lower", "lstrip", "maketrans", "partition", "removeprefix", "removesuffix",
    "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines",
    "startswith", "strip", "swapcase", "title", "translate", "upper", "zfill",
  ]
  static let dictionaries: Set<String> = ["copy", "fromkeys", "get", "items", "keys", "values"]
  static let mutatingDictionaries: Set<String> = [
    "clear", "pop", "popitem", "setdefault", "update",
  ]
  static let lists: Set<String> = ["copy", "count", "index"]
  static let mutatingLists: Set<String> = [
    "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort",
  ]
}
