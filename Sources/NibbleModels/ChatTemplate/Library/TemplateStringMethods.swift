extension TemplateEvaluator {
  /// The methods of Python's `str`.
  func callMethod(_ name: String, of text: String, _ arguments: TemplateCallArguments)
    throws(ModelError) -> TemplateValue
  {
    try charge(1 + text.utf8.count / 16)
    switch name {
    case "strip", "lstrip", "rstrip":
      let values = try bind(arguments, ["chars"], of: name)
      return try strip(text, values[0], start: name != "rstrip", end: name != "lstrip")
    case "split", "rsplit": return try list(try split(text, name, arguments))
    case "startswith", "endswith": return .bool(try affix(text, name, arguments))
    case "find", "rfind", "index", "rindex", "count": return try search(text, name, arguments)
    case "replace":
      let values = try bind(arguments, ["old", "new", "count"], required: 2, of: name)
      let count = try integer(values[2], or: -1, "count")
      return try string(
        try replace(
          try self.text(values[0], "old text"), in: text,
          with: try self.text(values[1], "new text"), limit: count < 0 ? .max : count))
    case "join":
      let values = try bind(arguments, ["iterable"], required: 1, of: name)
      return try join(try elements(of: values[0] ?? .none), text)
    case "splitlines":
      let values = try bind(arguments, ["keepends"], of: name)
      let keepsEnds = values[0]?.isTrue ?? false
      return try list(PythonText.lines(text, keepsEnds: keepsEnds).map { .string($0) })
    case "format": return try braceFormat(text, arguments)
    case "removeprefix", "removesuffix":
      let values = try bind(arguments, ["affix"], required: 1, of: name)
      return try remove(
        try self.text(values[0], "affix"), from: text, prefix: name == "removeprefix")
    case "upper", "lower", "title", "capitalize", "isdigit", "isalpha", "isalnum", "isspace",
      "isupper", "islower", "casefold":
      _ = try bind(arguments, [], of: name)
      return try simple(name, text)
    default: throw fault("the method '\(name)' of texts is not supported")
    }
  }

  private func simple(_ name: String, _ text: String) throws(ModelError) -> TemplateValue {
    let scalars = text.unicodeScalars
    switch name {
    case "upper": return try string(text.uppercased())
    case "lower", "casefold": return try string(text.lowercased())
    case "title": return try string(PythonText.titled(text))
    case "capitalize": return try string(PythonText.capitalized(text))
    case "isspace": return .bool(!text.isEmpty && scalars.allSatisfy(PythonSpace.contains))
    case "isupper", "islower": return .bool(Self.isCased(text, upper: name == "isupper"))
    case "isdigit":
      return .bool(!text.isEmpty && scalars.allSatisfy { Self.isDigit($0) })
    case "isalpha":
      return .bool(!text.isEmpty && scalars.allSatisfy { Self.isLetter($0) })
    default:
      let isAlphanumeric = scalars.allSatisfy {
        Self.isLetter($0) || $0.properties.numericType != nil
      }
      return .bool(!text.isEmpty && isAlphanumeric)
    }
  }

  private static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.numericType {
    case .decimal, .digit: true
    default: false
    }
  }

  private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }

  /// Whether all letters with a case are upper or lower ones, and there is one.
  static func isCased(_ text: String, upper: Bool) -> Bool {
    var hasCase = false
    for scalar in text.unicodeScalars {
      let properties = scalar.properties
      if upper ? properties.isLowercase : properties.isUppercase { return false }
      if properties.generalCategory == .titlecaseLetter { return false }
      if upper ? properties.isUppercase : properties.isLowercase { hasCase = true }
    }
    return hasCase
  }

  /// Python's `strip(chars)`; white space where `characters` is nil or none.
  func strip(_ text: String, _ characters: TemplateValue?, start: Bool, end: Bool)
    throws(ModelError) -> TemplateValue
  {
    switch characters {
    case nil, .some(.none):
      return try string(
        PythonText.stripped(text, start: start, end: end, where: PythonSpace.contains))
    default:
      let set = Set(try self.text(characters, "set of characters").unicodeScalars)
      return try string(
        PythonText.stripped(text, start: start, end: end) { set.contains($0) })
    }
  }

  private func affix(_ text: String, _ name: String, _ arguments: TemplateCallArguments)
    throws(ModelError) -> Bool
  {
    let values = try bind(arguments, ["affix"], required: 1, of: name)
    var candidates = [values[0] ?? .none]
    if case .sequence(let sequence)? = values[0], sequence.kind == .tuple {
      candidates = sequence.elements
    }
    for candidate in candidates {
      let affix = try self.text(candidate, "start or end of a text").utf8
      try charge(1 + affix.count / 64)
      let isFound =
        name == "startswith"
        ? text.utf8.starts(with: affix) : text.utf8.reversed().starts(with: affix.reversed())
      if isFound { return true }
    }
    return false
  }

  private func search(_ text: String, _ name: String, _ arguments: TemplateCallArguments)
    throws(ModelError) -> TemplateValue
  {
    let values = try bind(arguments, ["sub"], required: 1, of: name)
    let (part, bytes) = (Array(try self.text(values[0], "part").utf8), Array(text.utf8))
    if name == "count" {
      return .integer(try occurrences(of: part, in: bytes, limit: .max).count)
    }
    guard let offset = try find(part, in: bytes, backwards: name.hasPrefix("r")) else {
      guard name.hasSuffix("find") else { throw fault("the part is not in the text") }
      return .integer(-1)
    }
    return .integer(bytes[..<offset].reduce(0) { $1 & 0xC0 == 0x80 ? $0 : $0 + 1 })
  }

  private func remove(_ affix: String, from text: String, prefix: Bool) throws(ModelError)
    -> TemplateValue
  {
    let (affix, bytes) = (Array(affix.utf8), Array(text.utf8))
    if prefix, bytes.starts(with: affix) {
      return try string(String(decoding: bytes.dropFirst(affix.count), as: UTF8.self))
    }
    if !prefix, bytes.reversed().starts(with: affix.reversed()) {
      return try string(String(decoding: bytes.dropLast(affix.count), as: UTF8.self))
    }
    return .string(text)
  }

  /// The texts of `parts`, which for the method `join` must be texts, with `separator` between
  /// them.
  private func join(_ parts: [TemplateValue], _ separator: String) throws(ModelError)
    -> TemplateValue
  {
    for part in parts { _ = try text(part, "part to join") }
    return try joined(parts, separator)
  }

  func joined(_ parts: [TemplateValue], _ separator: String) throws(ModelError) -> TemplateValue {
    var result = ""
    for (index, part) in parts.enumerated() {
      let piece = try text(part)
      if index > 0 { result += separator }
      result += piece
      try charge(1 + (piece.utf8.count + separator.utf8.count) / 64)
      guard result.utf8.count <= limits.outputBytes else { break }
    }
    return try string(result)
  }
}
