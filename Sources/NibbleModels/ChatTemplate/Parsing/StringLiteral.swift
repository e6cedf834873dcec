/// The inside of a string literal, with Python's escapes still in it.
struct StringLiteral {
  private var scalars: [Unicode.Scalar]
  private var position = 0
  private let line: Int

  init(_ text: String, line: Int) {
    scalars = Array(text.unicodeScalars)
    self.line = line
  }

  private func fault(_ message: String) -> ModelError { templateFault(message, line: line) }

  /// The string that the literal stands for. Unknown escapes stay as they are.
  mutating func value() throws(ModelError) -> String {
    var result = String.UnicodeScalarView()
    while position < scalars.count {
      let scalar = scalars[position]
      position += 1
      if scalar == "\\", position < scalars.count {
        try escape(into: &result)
      } else {
        result.append(scalar)
      }
    }
    return String(result)
  }

  private mutating func escape(into result: inout String.UnicodeScalarView) throws(ModelError) {
    let scalar = scalars[position]
    position += 1
    switch scalar {
    case "\n": break
    case "\\", "'", "\"": result.append(scalar)
    case "a": result.append("\u{07}")
    case "b": result.append("\u{08}")
    case "f": result.append("\u{0C}")
    case "n": result.append("\n")
    case "r": result.append("\r")
    case "t": result.append("\t")
    case "v": result.append("\u{0B}")
    case "0"..."7":
      position -= 1
      result.append(try code(radix: 8, lengths: 1...3))
    case "x": result.append(try code(radix: 16, lengths: 2...2))
    case "u": result.append(try code(radix: 16, lengths: 4...4))
    case "U": result.append(try code(radix: 16, lengths: 8...8))
    case "N": throw fault("characters by name (\\N) are not supported")
    default:
      result.append("\\")
      if scalar.isASCII { result.append(scalar) } else { appendCode(of: scalar, to: &result) }
    }
  }

  /// Jinja writes non-ASCII characters as escapes before it reads escapes, which a backslash before
  /// one brings to light.
  private func appendCode(of scalar: Unicode.Scalar, to result: inout String.UnicodeScalarView) {
    let digits = String(scalar.value, radix: 16)
    let (letter, width) =
      scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
    let zeros = String(repeating: "0", count: max(0, width - digits.utf8.count))
    result.append(contentsOf: (letter + zeros + digits).unicodeScalars)
  }

  private mutating func code(radix: UInt32, lengths: ClosedRange<Int>) throws(ModelError)
    -> Unicode.Scalar
  {
    var (value, count): (UInt32, Int) = (0, 0)
    while count < lengths.upperBound, position < scalars.count {
      guard let digit = Character(scalars[position]).hexDigitValue, digit < radix else { break }
      guard value < 1 << 27 else { throw fault("an escape names no character") }
      value = value * radix + UInt32(digit)
      position += 1
      count += 1
    }
    guard lengths.contains(count) else { throw fault("an escape in a string is cut short") }
    guard let scalar = Unicode.Scalar(value) else { throw fault("an escape names no character") }
    return scalar
  }
}
