import Foundation
import Nibble

extension ExplainCommand {
  func explainMemory(of parameterCount: Int) throws {
    let rows = try WeightMemory.usual.map {
      try WeightMemory(parameterCount: parameterCount, storage: $0)
    }
    if json {
      let value: JSONValue = [
        "parameters": .integer(Int64(parameterCount)), "types": .array(rows.map(\.json)),
      ]
      print(value.text(.indented(2)))
      return
    }
    var table = Table(columns: [
      .left("type"), .right("bits per weight"), .right("bytes"), .right("GB"), .right("GiB"),
    ])
    for row in rows {
      table.rows.append([
        row.name, String(format: "%g", row.bitsPerWeight), "\(row.byteCount)",
        Self.amount(Double(row.byteCount) / 1e9), Self.amount(Double(row.byteCount) / 0x1p30),
      ])
    }
    print("\(parameterCount) weights, all of them in one type; no cache, no activations\n")
    print(table.text)
  }

  /// At least three digits, no more than needed for large amounts.
  private static func amount(_ value: Double) -> String {
    value >= 100 ? fixed(value, 1) : fixed(value, value >= 1 ? 2 : 4)
  }
}

extension WeightMemory {
  fileprivate var name: String {
    switch storage {
    case .plain(let format): format.name.uppercased()
    case .blocks(let type): type.name
    case .scheme(let scheme): scheme.description
    }
  }

  fileprivate var json: JSONValue {
    [
      "type": .string(name.lowercased()), "bits_per_weight": .number(bitsPerWeight),
      "bytes": .integer(Int64(byteCount)),
    ]
  }
}
