/// Python's rules for text that do not need a running template.
enum PythonText {
  /// Appends `text` as a Python string literal: in single quotes, unless it holds those and no
  /// double ones.
  static func quote(_ text: String, into result: inout String) {
    let hasSingle = text.utf8.contains(UInt8(ascii: "'"))
    let quote: Unicode.Scalar = hasSingle && !text.utf8.contains(UInt8(ascii: "\"")) ? "\"" : "'"
    var scalars = String.UnicodeScalarView()
    scalars.append(quote)
    for scalar in text.unicodeScalars {
      switch scalar {
      case quote, "\\":
        scalars.append("\\")
        scalars.append(scalar)
      case "\n": scalars.append(contentsOf: "\\n".unicodeScalars)
      case "\r": scalars.append(contentsOf: "\\r".unicodeScalars)
      case "\t": scalars.append(contentsOf: "\\t".unicodeScalars)
      case _ where isPrintable(scalar): scalars.append(scalar)
      default: scalars.append(contentsOf: code(scalar).unicodeScalars)
      }
    }
    scalars.append(quote)
    result.unicodeScalars.append(contentsOf: scalars)
  }

  /// Python's `str.isprintable` for one character.
  static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return (0x20..<0x7F).contains(scalar.value) }
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator, .spaceSeparator:
      return false
    default: return true
    }
  }

  private static func code(_ scalar: Unicode.Scalar) -> String {
    let value = scalar.value
    if value < 0x100 { return "\\x" + hexadecimal(value, width: 2) }
    return value < 0x10000
      ? "\\u" + hexadecimal(value, width: 4) : "\\U" + hexadecimal(value, width: 8)
  }

  /// `value` in lower-case hexadecimal digits with zeros before it.
  static func hexadecimal(_ value: UInt32, width: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }

  /// `text` so many times over.
  static func repeated(_ text: String, _ count: Int) -> String {
    var bytes = Array(text.utf8)
    let total = bytes.count * max(0, count)
    guard total > 0 else { return "" }
    bytes.reserveCapacity(total)
    while bytes.count <= total / 2 { bytes += bytes }
    bytes += bytes[..<(total - bytes.count)]
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Python's `str.capitalize`.
  static func capitalized(_ text: String) -> String {
    guard let first = text.unicodeScalars.first else { return "" }
    return first.properties.titlecaseMapping
      + String(text.unicodeScalars.dropFirst()).lowercased()
  }

  /// Python's `str.title`: letters after letters in lower case, other letters in title case.
  static func titled(_ text: String) -> String {
    var result = ""
    var followsLetter = false
    for scalar in text.unicodeScalars {
      let properties = scalar.properties
      result += followsLetter ? properties.lowercaseMapping : properties.titlecaseMapping
      followsLetter = properties.isCased
    }
    return result
  }

  /// `text` without the characters that `isStripped` accepts at its start, its end or both.
  static func stripped(
    _ text: String, start: Bool, end: Bool, where isStripped: (Unicode.Scalar) -> Bool
  ) -> String {
    var scalars = text.unicodeScalars[...]
    if start { scalars = scalars.drop(while: isStripped) }
    if end {
      while let last = scalars.last, isStripped(last) { scalars.removeLast() }
    }
    return String(scalars)
  }

  /// Python's `str.splitlines`.
  static func lines(_ text: String, keepsEnds: Bool) -> [String] {
    var lines: [String] = []
    var line = String.UnicodeScalarView()
    var scalars = text.unicodeScalars.makeIterator()
    var next = scalars.next()
    while let scalar = next {
      next = scalars.next()
      switch scalar.value {
      case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
        if keepsEnds { line.append(scalar) }
        if scalar == "\r", next == "\n" {
          if keepsEnds { line.append("\n") }
          next = scalars.next()
        }
        lines.append(String(line))
        line = String.UnicodeScalarView()
      default: line.append(scalar)
      }
    }
    if !line.isEmpty { lines.append(String(line)) }
    return lines
  }

  /// The filter `title`: the first letter of each word in upper case and the others in lower case.
  /// Words begin behind white space, hyphens and opening brackets.
  static func titledByWords(_ text: String) -> String {
    var result = ""
    var isFirst = true
    for scalar in text.unicodeScalars {
      let properties = scalar.properties
      result += isFirst ? properties.uppercaseMapping : properties.lowercaseMapping
      isFirst =
        PythonSpace.contains(scalar) || ["-", "(", "{", "[", "<"].contains(scalar)
    }
    return result
  }

  /// How many runs of letters, digits and underscores there are.
  static func wordCount(_ text: String) -> Int {
    var count = 0
    var isInside = false
    for scalar in text.unicodeScalars {
      let isPart =
        scalar == "_" || scalar.properties.isAlphabetic || scalar.properties.numericType != nil
      if isPart, !isInside { count += 1 }
      isInside = isPart
    }
    return count
  }

  /// `text` with the five characters that HTML reserves replaced.
  static func escapedForHTML(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "'": result += "&#39;"
      case "\"": result += "&#34;"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
