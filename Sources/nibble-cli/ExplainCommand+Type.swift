import ArgumentParser
import Foundation
import Nibble

/// A type that `nibble explain` takes apart.
enum TypeSubject {
  case blocks(BlockMap)
  case scheme(Scheme)
  case numbers(NumberFormat)

  init(name: String) throws {
    if let map = GGMLType(name: name).flatMap(BlockMap.init) {
      self = .blocks(map)
    } else if let scheme = Scheme(name: name) {
      self = .scheme(scheme)
    } else if let format = NumberFormat(name: name) {
      self = .numbers(format)
    } else {
      let known = GGMLType.allCases.filter { BlockMap($0) != nil }.map { $0.name.lowercased() }
      throw ValidationError(
        """
        --type \(name): not one of \(known.joined(separator: " ")), nor a scheme as int4-g128-asym or nf4-g64, nor a \
        number format.
        """)
    }
  }
}

extension ExplainCommand {
  func explain(_ subject: TypeSubject) throws {
    switch subject {
    case .blocks(let map): explain(map)
    case .scheme(let scheme): try explain(scheme)
    case .numbers(let format): explain([], in: [format])
    }
  }

  private func explain(_ map: BlockMap) {
    let type = map.type
    if json {
      print(map.json.text(.indented(2)))
      return
    }
    print(
      """
      \(type.name): \(type.block.elementCount) weights in \(type.block.byteCount) bytes, \
      \(type.bitsPerWeight) bits per weight

      weight = \(map.formula)
      """)
    if !map.legend.isEmpty { print(map.legend) }
    var table = Table(columns: [
      .left("bytes"), .left("field"), .left("bits"), .left("hold"),
    ])
    for row in map.rows {
      for (index, slot) in row.slots.enumerated() {
        table.rows.append([
          index == 0 ? range(row.bytes.lowerBound...row.bytes.upperBound - 1) : "",
          index == 0 ? row.field : "", range(slot.bits),
          map.holding(slot, count: row.bytes.count),
        ])
      }
    }
    print("\n\(table.text)\n\n\(Self.text(map.storage))")
  }

  private func explain(_ scheme: Scheme) throws {
    let shape = shape ?? MatrixShape(rowCount: 4096, columnCount: 4096)
    let sum: StorageSum
    do {
      sum = try scheme.storage(rowCount: shape.rowCount, columnCount: shape.columnCount)
    } catch {
      throw ValidationError("\(error)")
    }
    if json {
      let value: JSONValue = [
        "type": .string("\(scheme)"), "rows": .integer(Int64(shape.rowCount)),
        "columns": .integer(Int64(shape.columnCount)), "formula": .string(scheme.formula),
        "levels": .array(scheme.element.levels.map { .number(Double($0)) }), "sum": sum.json,
      ]
      print(value.text(.indented(2)))
      return
    }
    let run =
      switch scheme.granularity {
      case .tensor: "the matrix (\(shape.rowCount) × \(shape.columnCount))"
      case .row: "each row (\(shape.columnCount) weights)"
      case .column: "each column (\(shape.rowCount) weights)"
      case .group(let length): "each group of \(length) weights along a row"
      case .block(let length, let sub):
        "each block of \(length) weights along a row, in sub-blocks of \(sub)"
      }
    print("\(scheme): for \(run)\n\nweight = \(scheme.formula)")
    let levels = scheme.element.levels
    if levels.isEmpty {
      print("levels: learned from the weights\n\n\(Self.text(sum))")
      return
    }
    let shown = levels.count > 16 ? [levels[0], levels[1]] : levels
    let list = shown.map { String(format: "%g", $0) }.joined(separator: " ")
    let end = levels.count > 16 ? " … " + String(format: "%g", levels[levels.count - 1]) : ""
    print("levels: \(list)\(end)\n\n\(Self.text(sum))")
    if scheme.hasColumnOrder {
      print("\nThe matrix also stores the order of its columns, 32 bits each.")
    }
    print("\nWhich bytes hold what is up to the file format.")
  }

  /// The sum, term by term.
  private static func text(_ sum: StorageSum) -> String {
    var table = Table(columns: [.left(""), .right(""), .right(""), .right("")])
    for share in sum.shares {
      table.rows.append([
        share.part.title, "\(share.count) ×", bitText(share.bitCount),
        "\(share.count * share.bitCount)",
      ])
    }
    let total = sum.shares.map { "\($0.count)·\($0.bitCount)" }.joined(separator: " + ")
    let weights = sum.elementCount == 1 ? "1" : "\(sum.elementCount)"
    return """
      \(table.text)
      (\(total)) / \(weights) = \(sum.bitCount) / \(weights) = \(sum.bitsPerWeight) bits per weight
      """
  }

  private static func bitText(_ count: Int) -> String { count == 1 ? "1 bit" : "\(count) bits" }
}

extension StorageSum.Part {
  fileprivate var title: String {
    switch self {
    case .codes: "codes"
    case .levels: "levels"
    case .scales: "scales"
    case .offsets: "offsets"
    case .subScales: "relative scales"
    case .subOffsets: "relative offsets"
    case .zeroPoints: "zero points"
    }
  }
}

extension BlockMap {
  /// What the formula's letters are, beside the numbers that the table names.
  fileprivate var legend: String {
    var lines: [String] = []
    if formula.contains("T[") {
      let levels = Codebook.iq4nl.levels.map { String(format: "%g", $0) }.joined(separator: " ")
      lines.append("T = \(levels)")
    }
    if formula.contains("E2M1[") {
      let levels = (0..<16).map { String(format: "%g", Float4E2M1.float($0)) }
      lines.append("E2M1 = \(levels.joined(separator: " "))")
    }
    return lines.joined(separator: "\n")
  }

  /// A slot in words: "scale of sub-block 4…7, bits 4-5".
  fileprivate func holding(_ slot: Slot, count: Int) -> String {
    let first = slot.target.index
    let last = first + slot.stride * (count - 1)
    let indices =
      switch (count, slot.stride) {
      case (1, _): "\(first)"
      case (2, _): "\(first), \(last)"
      case (_, 1): "\(first)…\(last)"
      default: "\(first), \(first + slot.stride) … \(last)"
      }
    let name =
      switch slot.target {
      case .scale: slot.targetBits.count == 8 ? "exponent (e) of the block" : "scale of the block"
      case .offset: "offset of the block"
      case .subScale: "scale (sc) of sub-block \(indices)"
      case .subOffset: "offset (mn) of sub-block \(indices)"
      case .code: "code (q) of weight \(indices)"
      }
    let whole = storage.shares.first { $0.part == slot.target.part }?.bitCount
    if slot.targetBits.count == 16 { return name + ", half precision" }
    if slot.targetBits.count == whole {
      return signedPart == slot.target.part ? name + ", two's complement" : name
    }
    return name + (slot.targetBits.count == 1 ? ", bit " : ", bits ") + range(slot.targetBits)
  }

  fileprivate var json: JSONValue {
    let rows = rows.map { row -> JSONValue in
      let slots = row.slots.map { slot -> JSONValue in
        [
          "bits": .array([
            .integer(Int64(slot.bits.lowerBound)), .integer(Int64(slot.bits.upperBound)),
          ]),
          "part": .string(slot.target.part.rawValue),
          "index": .integer(Int64(slot.target.index)), "stride": .integer(Int64(slot.stride)),
          "number_bits": .array([
            .integer(Int64(slot.targetBits.lowerBound)),
            .integer(Int64(slot.targetBits.upperBound)),
          ]),
        ]
      }
      return [
        "field": .string(row.field), "offset": .integer(Int64(row.bytes.lowerBound)),
        "bytes": .integer(Int64(row.bytes.count)), "slots": .array(slots),
      ]
    }
    return [
      "type": .string("\(type)"), "weights": .integer(Int64(type.block.elementCount)),
      "bytes": .integer(Int64(type.block.byteCount)), "formula": .string(formula),
      "twos_complement": signedPart.map { .string($0.rawValue) } ?? .null,
      "rows": .array(rows), "sum": storage.json,
    ]
  }
}

extension StorageSum {
  fileprivate var json: JSONValue {
    let shares = shares.map { share -> JSONValue in
      [
        "part": .string(share.part.rawValue), "count": .integer(Int64(share.count)),
        "bits": .integer(Int64(share.bitCount)),
      ]
    }
    return [
      "shares": .array(shares), "bits": .integer(Int64(bitCount)),
      "weights": .integer(Int64(elementCount)), "bits_per_weight": .number(bitsPerWeight),
    ]
  }
}

extension Scheme {
  /// A weight from its code.
  fileprivate var formula: String {
    let level =
      switch element {
      case .codebook: "level[q]"
      case .learned: "level[q] of the group"
      case .int, .uint: "q"
      }
    if case .learned = element { return level }
    return switch offset {
    case .none: "\(level) * scale"
    case .minimum: "\(level) * scale + offset"
    case .zeroPoint: "(\(level) - zero point) * scale"
    }
  }
}

/// "4-7", or "4" for a range of one.
private func range(_ range: ClosedRange<Int>) -> String {
  range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
}
