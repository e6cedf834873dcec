/// Cuts a template into tokens, and takes away the white space that tags take away.
///
/// The rules are those of Jinja with `trim_blocks` and `lstrip_blocks`: a statement or comment
/// removes the spaces before it when it starts its line, and the line break right after it; `-`
/// removes all white space on its side, `+` keeps it. One line break at the very end of the source
/// is dropped.
struct TemplateLexer {
  private var cursor: ScalarCursor
  var line = 1
  var output: [PositionedToken] = []

  init(source: String, limits: TemplateLimits) throws(ModelError) {
    guard source.utf8.count <= limits.sourceBytes else {
      throw ModelError(
        .template,
        "the chat template has \(source.utf8.count) bytes; at most \(limits.sourceBytes) are allowed"
      )
    }
    cursor = ScalarCursor(Self.normalized(Array(source.utf8)))
  }

  /// The source with `\n` for each kind of line break, and without the last one.
  private static func normalized(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count {
      if bytes[index] == 0x0D {
        result.append(0x0A)
        if index + 1 < bytes.count, bytes[index + 1] == 0x0A { index += 1 }
      } else {
        result.append(bytes[index])
      }
      index += 1
    }
    if result.last == 0x0A { result.removeLast() }
    return result
  }

  /// All tokens of the source, with ``TemplateToken/end`` at the end.
  mutating func tokens() throws(ModelError) -> [PositionedToken] {
    while !cursor.isAtEnd { try textAndTag() }
    emit(.end)
    return output
  }

  mutating func emit(_ token: TemplateToken) {
    output.append(PositionedToken(token: token, line: line))
  }

  func fault(_ message: String) -> ModelError { templateFault(message, line: line) }

  /// The text up to the next tag, and that tag.
  private mutating func textAndTag() throws(ModelError) {
    let start = cursor.position
    guard let begin = nextTag(from: start) else {
      appendText(start, cursor.bytes.count, sign: nil, strips: false)
      cursor.position = cursor.bytes.count
      return
    }
    let kind = cursor.bytes[begin + 1]
    let sign = sign(at: begin + 2)
    appendText(start, begin, sign: sign, strips: kind != UInt8(ascii: "{"))
    if kind == UInt8(ascii: "%"), let end = rawBegin(begin) {
      advance(to: end)
      return try rawText()
    }
    cursor.position = begin + (sign == nil ? 2 : 3)
    switch kind {
    case UInt8(ascii: "#"): try comment()
    case UInt8(ascii: "{"): try tag(isBlock: false)
    default: try tag(isBlock: true)
    }
  }

  private func nextTag(from start: Int) -> Int? {
    var index = start
    while index + 1 < cursor.bytes.count {
      if cursor.bytes[index] == UInt8(ascii: "{") {
        switch cursor.bytes[index + 1] {
        case UInt8(ascii: "{"), UInt8(ascii: "%"), UInt8(ascii: "#"): return index
        default: break
        }
      }
      index += 1
    }
    return nil
  }

  private func sign(at index: Int) -> UInt8? {
    guard index < cursor.bytes.count else { return nil }
    let byte = cursor.bytes[index]
    return byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+") ? byte : nil
  }

  /// Moves on and counts the lines passed.
  private mutating func advance(to end: Int) {
    for index in cursor.position..<end where cursor.bytes[index] == 0x0A { line += 1 }
    cursor.position = end
  }

  /// Takes over the text before a tag; `sign` is the tag's white space control and `strips` whether
  /// the tag takes away the spaces before it when it starts its line.
  private mutating func appendText(_ start: Int, _ end: Int, sign: UInt8?, strips: Bool) {
    var kept = end
    if sign == UInt8(ascii: "-") {
      kept = cursor.trimmingSpace(start, end)
    } else if sign == nil, strips {
      var lineStart = end
      while lineStart > start, cursor.bytes[lineStart - 1] != 0x0A { lineStart -= 1 }
      let startsLine = lineStart == 0 || cursor.bytes[lineStart - 1] == 0x0A
      if startsLine, cursor.trimmingSpace(lineStart, end) == lineStart { kept = lineStart }
    }
    if kept > start { emit(.text(cursor.text(start, kept))) }
    cursor.position = start
    advance(to: end)
  }

  private mutating func comment() throws(ModelError) {
    let start = cursor.position
    var index = start
    // As in Jinja, a comment or raw block that begins at the very end needs no end.
    if cursor.isAtEnd { return }
    while !cursor.has("#}", at: index) {
      guard index < cursor.bytes.count else { throw fault("a comment does not end") }
      index += 1
    }
    let sign = index > start ? self.sign(at: index - 1) : nil
    advance(to: afterTag(index + 2, sign: sign, trims: true))
  }

  /// Where the text after a tag that ends at `end` begins.
  private func afterTag(_ end: Int, sign: UInt8?, trims: Bool) -> Int {
    if sign == UInt8(ascii: "-") { return cursor.skippingSpace(from: end) }
    if sign == nil, trims, cursor.has("\n", at: end) { return end + 1 }
    return end
  }

  /// The end of a `{% raw %}` that stands at `tag`.
  private func rawBegin(_ tag: Int) -> Int? {
    var index = tag + (sign(at: tag + 2) == nil ? 2 : 3)
    index = cursor.skippingSpace(from: index)
    guard cursor.has("raw", at: index) else { return nil }
    index = cursor.skippingSpace(from: index + 3)
    if cursor.has("-%}", at: index) { return cursor.skippingSpace(from: index + 3) }
    return cursor.has("%}", at: index) ? index + 2 : nil
  }

  private mutating func rawText() throws(ModelError) {
    let start = cursor.position
    var index = start
    while index < cursor.bytes.count {
      if cursor.has("{%", at: index), let end = rawEnd(index) {
        appendText(start, index, sign: sign(at: index + 2), strips: true)
        return advance(to: end)
      }
      index += 1
    }
    if start < cursor.bytes.count { throw fault("a raw block does not end") }
  }

  /// The end of an `{% endraw %}` that stands at `tag`.
  private func rawEnd(_ tag: Int) -> Int? {
    var index = tag + (sign(at: tag + 2) == nil ? 2 : 3)
    index = cursor.skippingSpace(from: index)
    guard cursor.has("endraw", at: index) else { return nil }
    index = cursor.skippingSpace(from: index + 6)
    let sign = sign(at: index)
    if sign != nil { index += 1 }
    guard cursor.has("%}", at: index) else { return nil }
    return afterTag(index + 2, sign: sign, trims: true)
  }

  /// The inside of `{{ … }}` or `{% … %}`.
  private mutating func tag(isBlock: Bool) throws(ModelError) {
    emit(isBlock ? .blockBegin : .variableBegin)
    var words = TagLexer(cursor: cursor, line: line)
    while true {
      if words.brackets.isEmpty, let end = tagEnd(at: words.cursor.position, isBlock: isBlock) {
        output += words.output
        line = words.line
        emit(isBlock ? .blockEnd : .variableEnd)
        cursor.position = words.cursor.position
        return advance(to: end)
      }
      guard try words.step() else {
        line = words.line
        throw fault("a tag does not end")
      }
    }
  }

  private func tagEnd(at index: Int, isBlock: Bool) -> Int? {
    if isBlock {
      if cursor.has("%}", at: index) { return afterTag(index + 2, sign: nil, trims: true) }
      if cursor.has("+%}", at: index) { return index + 3 }
      return cursor.has("-%}", at: index) ? cursor.skippingSpace(from: index + 3) : nil
    }
    if cursor.has("}}", at: index) { return index + 2 }
    return cursor.has("-}}", at: index) ? cursor.skippingSpace(from: index + 3) : nil
  }
}
