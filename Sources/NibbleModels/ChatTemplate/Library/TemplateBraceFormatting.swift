/// Python's `str.format`: `'{} of {name}'.format(1, name='two')`.
///
/// Fields are empty, a position or a name, with `!s` or `!r` behind; what looks into a value (`{a.b}`, `{a[0]}`) and format
/// specifications (`{:>3}`) are not supported.
extension TemplateEvaluator {
  func braceFormat(_ format: String, _ arguments: TemplateCallArguments) throws(ModelError)
    -> TemplateValue
  {
    var result = ""
    var automatic = 0
    var scalars = format.unicodeScalars[...]
    while let scalar = scalars.popFirst() {
      guard scalar == "{" || scalar == "}" else {
        result.unicodeScalars.append(scalar)
        continue
      }
      if scalars.first == scalar {
        scalars.removeFirst()
        result.unicodeScalars.append(scalar)
        continue
      }
      guard scalar == "{", let end = scalars.firstIndex(of: "}") else {
        throw fault("a single '\(scalar)' in a format")
      }
      var field = Substring(scalars[..<end])
      scalars = scalars[scalars.index(after: end)...]
      let isRepresented = field.hasSuffix("!r")
      if isRepresented || field.hasSuffix("!s") { field.removeLast(2) }
      let value = try self.value(ofField: field, arguments, &automatic)
      result += isRepresented ? try representation(value) : try text(value)
      try charge(bytes: result.utf8.count)
    }
    return try string(result)
  }

  private func value(
    ofField field: Substring, _ arguments: TemplateCallArguments, _ automatic: inout Int
  ) throws(ModelError) -> TemplateValue {
    guard !field.contains(where: { ".[:!{".contains($0) }) else {
      throw fault("the format field '{\(field.prefix(60))}' is not supported")
    }
    if let named = arguments.named.first(where: { $0.name == field }) { return named.value }
    var position = Int(field)
    if field.isEmpty {
      position = automatic
      automatic += 1
    }
    guard let position, arguments.positional.indices.contains(position) else {
      throw fault("a format has no value for '{\(field.prefix(60))}'")
    }
    return arguments.positional[position]
  }
}
