extension JSONValue {
  /// Reads one JSON document.
  ///
  /// Strict about what files must not contain: duplicate keys, bad UTF-8, unpaired surrogates,
  /// numbers outside the grammar, anything but white space after the value, and nesting deeper than
  /// 200 levels.
  ///
  /// - Throws: ``CheckpointError/Code/malformed`` with the byte offset of the first fault.
  public static func parse(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) -> JSONValue {
    var parser = JSONParser(bytes: bytes)
    parser.skipByteOrderMark()
    let value = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.position == bytes.count else {
      throw parser.fault("unexpected text after the value")
    }
    return value
  }

  /// Reads one JSON document from an array of UTF-8 bytes.
  public static func parse(_ bytes: [UInt8]) throws(CheckpointError) -> JSONValue {
    var result: Result<JSONValue, CheckpointError> = .success(.null)
    bytes.withUnsafeBytes { buffer in
      result = Result { () throws(CheckpointError) -> JSONValue in try parse(buffer) }
    }
    return try result.get()
  }

  /// Reads one JSON document from text.
  public static func parse(_ text: String) throws(CheckpointError) -> JSONValue {
    try parse(Array(text.utf8))
  }
}

private struct JSONParser {
  let bytes: UnsafeRawBufferPointer
  var position = 0

  init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  func fault(_ reason: String) -> CheckpointError {
    CheckpointError(.malformed, "bad JSON at byte \(position): \(reason)")
  }

  mutating func skipByteOrderMark() {
    if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { position = 3 }
  }

  mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  mutating func value(depth: Int) throws(CheckpointError) -> JSONValue {
    guard depth <= 200 else { throw fault("nested deeper than 200 levels") }
    skipSpace()
    guard position < bytes.count else { throw fault("the text ends where a value should stand") }
    switch bytes[position] {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  mutating func word(_ text: StaticString, _ value: JSONValue) throws(CheckpointError) -> JSONValue
  {
    let count = text.utf8CodeUnitCount
    guard bytes.count - position >= count,
      (0..<count).allSatisfy({ bytes[position + $0] == text.utf8Start[$0] })
    else { throw fault("unknown word") }
    position += count
    return value
  }

  mutating func object(depth: Int) throws(CheckpointError) -> JSONValue {
    position += 1
    var object = JSONObject()
    skipSpace()
    if peek(UInt8(ascii: "}")) { return .object(object) }
    while true {
      skipSpace()
      guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
        throw fault("a key should stand here")
      }
      let start = position
      let key = try string()
      skipSpace()
      guard peek(UInt8(ascii: ":")) else { throw fault("a colon should stand here") }
      let member = try value(depth: depth + 1)
      guard object.append(key, member) else {
        position = start
        throw fault("duplicate key \"\(printable(key))\"")
      }
      skipSpace()
      if peek(UInt8(ascii: "}")) { return .object(object) }
      guard peek(UInt8(ascii: ",")) else { throw fault("a comma or } should stand here") }
    }
  }

  mutating func array(depth: Int) throws(CheckpointError) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    skipSpace()
    if peek(UInt8(ascii: "]")) { return .array(elements) }
    while true {
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if peek(UInt8(ascii: "]")) { return .array(elements) }
      guard peek(UInt8(ascii: ",")) else { throw fault("a comma or ] should stand here") }
    }
  }

  /// Steps over `byte` if it is next.
  mutating func peek(_ byte: UInt8) -> Bool {
    guard position < bytes.count, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  mutating func string() throws(CheckpointError) -> String {
    position += 1
    let start = position
    while position < bytes.count {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") {
        let text = try decode(UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
        position += 1
        return text
      }
      if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
      guard byte >= 0x20 else { throw fault("a raw control character in a string") }
      position += 1
    }
    throw fault("the text ends inside a string")
  }

  func decode(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) -> String {
    guard let text = String(exactly: bytes) else { throw fault("a string that is not UTF-8") }
    return text
  }

  mutating func escapedString(from start: Int) throws(CheckpointError) -> String {
    var result = Array(bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        let text = result.withUnsafeBytes { String(exactly: $0) }
        guard let text else { throw fault("a string that is not UTF-8") }
        return text
      case UInt8(ascii: "\\"): try escape(into: &result)
      case 0..<0x20: throw fault("a raw control character in a string")
      default: result.append(byte)
      }
    }
    throw fault("the text ends inside a string")
  }

  mutating func escape(into result: inout [UInt8]) throws(CheckpointError) {
    guard position < bytes.count else { throw fault("the text ends inside a string") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
    case UInt8(ascii: "b"): result.append(0x08)
    case UInt8(ascii: "f"): result.append(0x0C)
    case UInt8(ascii: "n"): result.append(0x0A)
    case UInt8(ascii: "r"): result.append(0x0D)
    case UInt8(ascii: "t"): result.append(0x09)
    case UInt8(ascii: "u"):
      var unit = try hexadecimal()
      if (0xD800..<0xDC00).contains(unit) {
        guard peek(UInt8(ascii: "\\")), peek(UInt8(ascii: "u")) else {
          throw fault("an unpaired surrogate")
        }
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { throw fault("an unpaired surrogate") }
        unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(unit) else { throw fault("an unpaired surrogate") }
      result.append(contentsOf: String(scalar).utf8)
    default: throw fault("an unknown escape")
    }
  }

  mutating func hexadecimal() throws(CheckpointError) -> UInt32 {
    guard bytes.count - position >= 4 else { throw fault("the text ends inside an escape") }
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else {
        throw fault("a \\u escape needs four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  mutating func digits() -> Int {
    let start = position
    while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
    return position - start
  }

  mutating func number() throws(CheckpointError) -> JSONValue {
    let start = position
    var isWhole = true
    _ = peek(UInt8(ascii: "-"))
    let first = position
    guard digits() > 0 else {
      position = start
      throw fault("a value should stand here")
    }
    if bytes[first] == 0x30, position - first > 1 { throw fault("a number with leading zeros") }
    if peek(UInt8(ascii: ".")) {
      isWhole = false
      guard digits() > 0 else { throw fault("digits should follow the point") }
    }
    if peek(UInt8(ascii: "e")) || peek(UInt8(ascii: "E")) {
      isWhole = false
      if !peek(UInt8(ascii: "+")) { _ = peek(UInt8(ascii: "-")) }
      guard digits() > 0 else { throw fault("digits should follow the exponent") }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isWhole, let value = Int64(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else {
      position = start
      throw fault("a number out of range")
    }
    return .number(value)
  }
}
