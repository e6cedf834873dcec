/// Cuts the inside of one tag into names, numbers, strings and symbols.
struct TagLexer {
  var cursor: ScalarCursor
  var line: Int
  var output: [PositionedToken] = []
  /// The closing brackets that are still to come; a tag can only end where there are none.
  var brackets: [TemplateSymbol] = []

  init(cursor: ScalarCursor, line: Int) {
    self.cursor = cursor
    self.line = line
  }

  private func fault(_ message: String) -> ModelError { templateFault(message, line: line) }

  private func byte(_ offset: Int = 0) -> UInt8 {
    let index = cursor.position + offset
    return index < cursor.bytes.count ? cursor.bytes[index] : 0
  }

  private mutating func emit(_ token: TemplateToken, length: Int) {
    output.append(PositionedToken(token: token, line: line))
    cursor.position += length
  }

  /// Reads one token or a run of white space; returns false at the end of the source.
  mutating func step() throws(ModelError) -> Bool {
    guard let (scalar, length) = cursor.scalar(at: cursor.position) else { return false }
    if PythonSpace.contains(scalar) {
      if scalar == "\n" { line += 1 }
      cursor.position += length
    } else if (0x30...0x39).contains(scalar.value) {
      try number()
    } else if scalar == "_" || scalar.properties.isXIDContinue {
      try name()
    } else if scalar == "\"" || scalar == "'" {
      try string(quote: byte())
    } else {
      try symbol(scalar)
    }
    return true
  }

  private mutating func name() throws(ModelError) {
    let start = cursor.position
    var end = start
    while let (scalar, length) = cursor.scalar(at: end),
      scalar == "_" || scalar.properties.isXIDContinue
    {
      if end == start, scalar != "_", !scalar.properties.isXIDStart {
        throw fault("a name cannot begin with '\(scalar)'")
      }
      end += length
    }
    emit(.name(cursor.text(start, end)), length: end - start)
  }

  private mutating func symbol(_ scalar: Unicode.Scalar) throws(ModelError) {
    let two = TemplateSymbol(
      rawValue: cursor.text(cursor.position, min(cursor.position + 2, cursor.bytes.count)))
    guard let symbol = two ?? TemplateSymbol(rawValue: String(scalar)) else {
      throw fault("the character '\(scalar)' is not expected here")
    }
    switch symbol {
    case .leftParenthesis: brackets.append(.rightParenthesis)
    case .leftBracket: brackets.append(.rightBracket)
    case .leftBrace: brackets.append(.rightBrace)
    case .rightParenthesis, .rightBracket, .rightBrace:
      guard brackets.popLast() == symbol else {
        throw fault("'\(symbol.rawValue)' closes nothing")
      }
    default: break
    }
    emit(.symbol(symbol), length: symbol.rawValue.utf8.count)
  }

  private mutating func string(quote: UInt8) throws(ModelError) {
    let start = cursor.position + 1
    var index = start
    while index < cursor.bytes.count, cursor.bytes[index] != quote {
      index += cursor.bytes[index] == UInt8(ascii: "\\") ? 2 : 1
    }
    guard index < cursor.bytes.count else { throw fault("a string does not end") }
    var literal = StringLiteral(cursor.text(start, index), line: line)
    emit(.string(try literal.value()), length: index + 1 - cursor.position)
    for position in start..<index where cursor.bytes[position] == 0x0A { line += 1 }
  }

  private func isDigit(_ offset: Int) -> Bool { (0x30...0x39).contains(byte(offset)) }

  /// The length of digits, possibly with single underscores between them, that begin `offset` bytes
  /// on.
  private func digits(_ offset: Int, where isDigit: (UInt8) -> Bool) -> Int {
    var end = offset
    while true {
      if isDigit(byte(end)) {
        end += 1
      } else if end > offset, byte(end) == UInt8(ascii: "_"), isDigit(byte(end + 1)) {
        end += 2
      } else {
        return end - offset
      }
    }
  }

  private mutating func number() throws(ModelError) {
    let decimal = { (byte: UInt8) in (0x30...0x39).contains(byte) }
    var end = digits(0, where: decimal)
    let whole = end
    let followsDot = cursor.position > 0 && cursor.bytes[cursor.position - 1] == UInt8(ascii: ".")
    if !followsDot {
      if byte(end) == UInt8(ascii: "."), isDigit(end + 1) {
        end += 1 + digits(end + 1, where: decimal)
      }
      if byte(end) | 0x20 == UInt8(ascii: "e") {
        let sign = byte(end + 1) == UInt8(ascii: "+") || byte(end + 1) == UInt8(ascii: "-") ? 1 : 0
        if isDigit(end + 1 + sign) { end += 1 + sign + digits(end + 1 + sign, where: decimal) }
      }
    }
    guard end > whole else { return try integer(decimalLength: whole) }
    let text = plain(0, end)
    guard let value = Double(text) else { throw fault("the number \(text) cannot be read") }
    emit(.number(value), length: end)
  }

  private func plain(_ start: Int, _ end: Int) -> String {
    cursor.text(cursor.position + start, cursor.position + end).filter { $0 != "_" }
  }

  private mutating func integer(decimalLength: Int) throws(ModelError) {
    var (start, length, radix) = (0, decimalLength, 10)
    if byte() == UInt8(ascii: "0") {
      switch byte(1) | 0x20 {
      case UInt8(ascii: "b"): radix = 2
      case UInt8(ascii: "o"): radix = 8
      case UInt8(ascii: "x"): radix = 16
      default: length = digits(0) { $0 == UInt8(ascii: "0") }
      }
      if radix != 10 {
        let lead = byte(2) == UInt8(ascii: "_") ? 3 : 2
        let count = digits(lead) { byte in
          (Character(Unicode.Scalar(byte)).hexDigitValue ?? 99) < radix
        }
        if count == 0 { radix = 10 }
        if count > 0 { (start, length) = (lead, lead + count) } else { length = 1 }
      }
    }
    let text = plain(start, length)
    guard let value = Int(text, radix: radix) else {
      throw fault("the whole number \(text.prefix(40)) is too large")
    }
    emit(.integer(value), length: length)
  }
}
