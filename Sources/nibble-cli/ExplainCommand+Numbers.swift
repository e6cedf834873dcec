import Foundation
import Nibble

extension ExplainCommand {
  func explain(_ values: [Double], in formats: [NumberFormat]) {
    let stored = values.map { value in
      formats.map { format in
        StoredNumber(
          value, format: format, scaling: IntegerScaling(values, format: format),
          overflow: saturate ? .saturating : .asDefined)
      }
    }
    if json {
      print(Self.json(stored, formats).text(.indented(2)))
      return
    }
    for numbers in stored {
      guard let first = numbers.first else { continue }
      print("\(plain(first.value))\n\(Self.table(numbers))\n")
    }
    print(Self.table(formats))
    if !values.isEmpty, formats.contains(where: { $0.exponentBitCount == 0 }) {
      print(
        """

        Integers: value = code × scale, the scale being that of the largest magnitude among the numbers; unsigned ones
        reach from the least number (or zero) to the greatest, so value = (code - zero point) × scale.
        """)
    }
  }

  private static func table(_ numbers: [StoredNumber]) -> String {
    var table = Table(columns: [
      .left("format"), .left("bits"), .left("meaning"), .left("stored"), .right("error"),
      .right("relative"),
    ])
    for number in numbers {
      table.rows.append([
        number.format.name, number.drawing, number.meaning, plain(number.storedValue),
        short(number.absoluteError), short(number.relativeError),
      ])
    }
    return table.text
  }

  /// The formats' properties.
  static func table(_ formats: [NumberFormat]) -> String {
    var table = Table(columns: [
      .left("format"), .right("bits"), .left("sign+exponent+fraction"), .right("lowest"),
      .right("largest"), .right("smallest normal"), .right("subnormal"), .right("epsilon"),
      .right("digits"), .left("inf"), .left("NaN"), .right("bytes"),
    ])
    for format in formats {
      table.rows.append([
        format.name, "\(format.bitCount)",
        "\(format.signBitCount)+\(format.exponentBitCount)+\(format.fractionBitCount)",
        short(format.lowest), short(format.largest), format.smallestNormal.map(short) ?? "-",
        format.smallestSubnormal.map(short) ?? "-", format.machineEpsilon.map(short) ?? "-",
        fixed(format.significantDecimalDigits, 1), format.hasInfinities ? "yes" : "no",
        format.hasNaN ? "yes" : "no", short(format.bytesPerValue),
      ])
    }
    return table.text
  }

  private static func json(
    _ stored: [[StoredNumber]], _ formats: [NumberFormat]
  ) -> JSONValue {
    let numbers = stored.compactMap { numbers -> JSONValue? in
      guard let first = numbers.first else { return nil }
      return ["value": number(first.value), "formats": .array(numbers.map(\.json))]
    }
    return ["numbers": .array(numbers), "formats": .array(formats.map(\.json))]
  }
}

extension StoredNumber {
  /// The bits in groups: sign, exponent, fraction.
  fileprivate var drawing: String {
    [
      isNegative.map { $0 ? "1" : "0" },
      exponentField.map { binary($0, format.exponentBitCount) },
      format.fractionBitCount > 0 ? binary(fractionField, format.fractionBitCount) : nil,
    ].compactMap { $0 }.joined(separator: " ")
  }

  /// How the bits make the value.
  fileprivate var meaning: String {
    if let code, let scaling {
      return scaling.zeroPoint == 0
        ? "\(code) × \(short(scaling.scale))"
        : "(\(code) - \(scaling.zeroPoint)) × \(short(scaling.scale))"
    }
    guard let exponent, let significand else { return kind.rawValue }
    let size =
      format.fractionBitCount == 0
      ? "2^\(exponent)" : "2^\(exponent) × \(plain(significand))"
    return (isNegative == true ? "-" : "") + size + (kind == .subnormal ? " (subnormal)" : "")
  }

  fileprivate var json: JSONValue {
    var object = JSONObject([
      "format": .string(format.name), "bits": .string(binary(bits, format.bitCount)),
      "kind": .string(kind.rawValue), "stored": number(storedValue),
      "absolute_error": number(absoluteError), "relative_error": number(relativeError),
    ])
    if let isNegative { object["sign"] = .integer(isNegative ? 1 : 0) }
    if let exponentField {
      object["exponent_bits"] = .string(binary(exponentField, format.exponentBitCount))
    }
    if format.fractionBitCount > 0 {
      object["fraction_bits"] = .string(binary(fractionField, format.fractionBitCount))
    }
    if let exponent { object["exponent"] = .integer(Int64(exponent)) }
    if let significand { object["significand"] = .number(significand) }
    if let code, let scaling {
      object["code"] = .integer(Int64(code))
      object["scale"] = .number(scaling.scale)
      object["zero_point"] = .integer(Int64(scaling.zeroPoint))
    }
    return .object(object)
  }
}

extension NumberFormat {
  fileprivate var json: JSONValue {
    [
      "name": .string(name), "bits": .integer(Int64(bitCount)),
      "sign_bits": .integer(Int64(signBitCount)),
      "exponent_bits": .integer(Int64(exponentBitCount)),
      "fraction_bits": .integer(Int64(fractionBitCount)),
      "exponent_bias": exponentBias.map { .integer(Int64($0)) } ?? .null,
      "lowest": .number(lowest), "largest": .number(largest),
      "smallest_normal": smallestNormal.map(JSONValue.number) ?? .null,
      "smallest_subnormal": smallestSubnormal.map(JSONValue.number) ?? .null,
      "machine_epsilon": machineEpsilon.map(JSONValue.number) ?? .null,
      "decimal_digits": .number(significantDecimalDigits), "infinities": .bool(hasInfinities),
      "nan": .bool(hasNaN), "bytes": .number(bytesPerValue),
    ]
  }
}

/// The lowest `count` bits.
private func binary(_ bits: UInt32, _ count: Int) -> String {
  let digits = String(bits, radix: 2)
  return String(repeating: "0", count: max(0, count - digits.count)) + digits
}

/// A number in JSON, which has no words for those that are not finite: "inf", "-inf", "nan".
private func number(_ value: Double) -> JSONValue {
  value.isFinite ? .number(value) : .string("\(value)")
}

/// A number in full, without a needless ".0".
private func plain(_ value: Double) -> String {
  let text = "\(value)"
  return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}

/// A number in few digits.
private func short(_ value: Double) -> String {
  value.isFinite ? String(format: "%.5g", value) : "\(value)"
}
