/// Python's `str.split` and `str.rsplit`.
extension TemplateEvaluator {
  func split(_ text: String, _ name: String, _ arguments: TemplateCallArguments)
    throws(ModelError) -> [TemplateValue]
  {
    let values = try bind(arguments, ["sep", "maxsplit"], of: name)
    let count = try integer(values[1], or: -1, "number of splits")
    let limit = count < 0 ? Int.max : count
    let parts: [String]
    switch values[0] {
    case nil, .some(.none): parts = words(text, limit: limit, backwards: name == "rsplit")
    default:
      let separator = Array(try self.text(values[0], "separator").utf8)
      guard !separator.isEmpty else { throw fault("a text cannot be split at the empty text") }
      let bytes = Array(text.utf8)
      let positions =
        name == "split"
        ? try occurrences(of: separator, in: bytes, limit: limit)
        : try lastOccurrences(of: separator, in: bytes, limit: limit)
      parts = pieces(of: bytes, at: positions, length: separator.count)
    }
    try charge(parts.count)
    return parts.map { .string($0) }
  }

  /// The offsets of `part` counted from the end of `text`, in ascending order.
  private func lastOccurrences(of part: [UInt8], in text: [UInt8], limit: Int)
    throws(ModelError) -> [Int]
  {
    let found = try occurrences(of: part.reversed(), in: text.reversed(), limit: limit)
    return found.reversed().map { text.count - part.count - $0 }
  }

  private func pieces(of bytes: [UInt8], at positions: [Int], length: Int) -> [String] {
    var result: [String] = []
    var start = 0
    for position in positions {
      result.append(String(decoding: bytes[start..<position], as: UTF8.self))
      start = position + length
    }
    result.append(String(decoding: bytes[start...], as: UTF8.self))
    return result
  }

  /// The words between white space; after `limit` splits the rest stays whole.
  private func words(_ text: String, limit: Int, backwards: Bool) -> [String] {
    var words: [String] = []
    var rest = text.unicodeScalars[...]
    func trim() {
      if backwards {
        while let last = rest.last, PythonSpace.contains(last) { rest.removeLast() }
      } else {
        rest = rest.drop(while: PythonSpace.contains)
      }
    }
    trim()
    while !rest.isEmpty {
      guard words.count < limit else {
        words.append(String(rest))
        break
      }
      if backwards {
        let start = rest.lastIndex(where: PythonSpace.contains).map { rest.index(after: $0) }
        words.append(String(rest[(start ?? rest.startIndex)...]))
        rest = rest[..<(start ?? rest.startIndex)]
      } else {
        let end = rest.firstIndex(where: PythonSpace.contains) ?? rest.endIndex
        words.append(String(rest[..<end]))
        rest = rest[end...]
      }
      trim()
    }
    return backwards ? words.reversed() : words
  }
}
