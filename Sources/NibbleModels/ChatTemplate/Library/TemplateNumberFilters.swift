internal import Foundation

extension TemplateEvaluator {
  func numberFilter(_ name: String, _ value: TemplateValue, _ arguments: TemplateCallArguments)
    throws(ModelError) -> TemplateValue
  {
    let what = "the filter '\(name)'"
    switch name {
    case "int":
      let options = try bind(arguments, ["default", "base"], of: what)
      let base = try integer(options[1], or: 10, "base")
      return try wholeNumber(value, base: base) ?? options[0] ?? .integer(0)
    case "float":
      let options = try bind(arguments, ["default"], of: what)
      return number(value).map { .number($0) } ?? options[0] ?? .number(0)
    case "abs":
      _ = try bind(arguments, [], of: what)
      if case .number(let number) = value { return .number(number.magnitude) }
      guard let integer = value.integer else { throw misuse(of: value, "take the size of") }
      guard integer != .min else { throw tooLarge() }
      return .integer(Swift.abs(integer))
    default:
      let options = try bind(arguments, ["precision", "method"], of: what)
      let precision = try integer(options[0], or: 0, "precision")
      let method = try options[1].map { value throws(ModelError) in try text(value, "method") }
      return try rounded(value, precision, method ?? "common")
    }
  }

  /// Python's `int(value, base)`, with fractions cut off; nil for what is no number.
  private func wholeNumber(_ value: TemplateValue, base: Int) throws(ModelError)
    -> TemplateValue?
  {
    if let integer = value.integer { return .integer(integer) }
    if case .string(let text) = value {
      guard base == 0 || (2...36).contains(base) else { throw fault("\(base) is no base") }
      let isLarge = text.utf8.count > 4096
      if !isLarge, let integer = Self.integer(text, base: base) { return .integer(integer) }
    }
    guard let number = number(value), number.isFinite else { return nil }
    guard let integer = Int(exactly: number.rounded(.towardZero)) else { throw tooLarge() }
    return .integer(integer)
  }

  /// Python's reading of a whole number: white space around it, a sign, a prefix such as `0x`, and
  /// underscores.
  private static func integer(_ text: String, base: Int) -> Int? {
    var digits = PythonText.stripped(text, start: true, end: true, where: PythonSpace.contains)[...]
    var isNegative = false
    if let sign = digits.first, sign == "-" || sign == "+" {
      isNegative = sign == "-"
      digits = digits.dropFirst()
    }
    var base = base
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)]
    where digits.lowercased().hasPrefix(prefix) && (base == 0 || base == radix) {
      digits = digits.dropFirst(2)
      if digits.first == "_" { digits = digits.dropFirst() }
      base = radix
    }
    if base == 0 {
      base = 10
      let isZero = digits.allSatisfy { $0 == "0" || $0 == "_" }
      if digits.first == "0", !isZero { return nil }
    }
    guard let plain = plain(digits), plain.first != "-", plain.first != "+" else { return nil }
    return Int((isNegative ? "-" : "") + plain, radix: base)
  }

  /// `digits` without single underscores between them; nil where underscores stand elsewhere.
  private static func plain(_ digits: Substring) -> String? {
    guard !digits.isEmpty, digits.first != "_", digits.last != "_", !digits.contains("__") else {
      return nil
    }
    return digits.filter { $0 != "_" }
  }

  /// Python's `float(value)`; nil for what is no number.
  private func number(_ value: TemplateValue) -> Double? {
    if let number = value.number { return number }
    guard case .string(let text) = value, text.utf8.count <= 4096 else { return nil }
    let stripped = PythonText.stripped(text, start: true, end: true, where: PythonSpace.contains)
    guard let plain = Self.plain(stripped[...]) else { return nil }
    let word = plain.lowercased()
    switch word.drop(while: { $0 == "-" || $0 == "+" }) {
    case "inf", "infinity", "nan": return Double(word)
    default: break
    }
    let isDecimal = word.utf8.allSatisfy {
      (0x30...0x39).contains($0) || [0x2B, 0x2D, 0x2E, 0x65].contains($0)
    }
    guard isDecimal else { return nil }
    if word.hasSuffix(".") { return Double(word + "0") }
    return Double(word)
  }

  private func rounded(_ value: TemplateValue, _ precision: Int, _ method: String)
    throws(ModelError) -> TemplateValue
  {
    guard (-300...300).contains(precision) else { throw fault("the precision is out of range") }
    if method == "common", let integer = value.integer {
      guard precision < 0 else { return .integer(integer) }
      return .integer(try rounded(integer, toZeros: -precision))
    }
    guard let number = value.number else { throw misuse(of: value, "round") }
    guard number.isFinite else {
      guard method == "common" else { throw fault("cannot round \(number)") }
      return .number(number)
    }
    let scale = pow(10, Double(precision))
    switch method {
    case "common":
      guard precision < 0 else {
        // C's printing rounds the exact binary value, as Python does.
        return .number(Double(String(format: "%.\(precision)f", number)) ?? number)
      }
      let divisor = pow(10, Double(-precision))
      return .number((number / divisor).rounded(.toNearestOrEven) * divisor)
    case "ceil": return .number((number * scale).rounded(.up) / scale)
    case "floor": return .number((number * scale).rounded(.down) / scale)
    default: throw fault("round knows 'common', 'ceil' and 'floor', not '\(method.prefix(60))'")
    }
  }

  /// `integer` to the nearest multiple of a power of ten; of two that are as near, to the even one.
  private func rounded(_ integer: Int, toZeros zeros: Int) throws(ModelError) -> Int {
    guard zeros <= 18 else { return 0 }
    var unit = 1
    for _ in 0..<zeros { unit *= 10 }
    let remainder = ((integer % unit) + unit) % unit
    let (floor, overflow) = integer.subtractingReportingOverflow(remainder)
    guard !overflow else { throw tooLarge() }
    let isOdd = (floor / unit) % 2 != 0
    let roundsUp = remainder * 2 > unit || (remainder * 2 == unit && isOdd)
    guard roundsUp else { return floor }
    let (ceiling, tooFar) = floor.addingReportingOverflow(unit)
    guard !tooFar else { throw tooLarge() }
    return ceiling
  }
}
