/// A dictionary that keeps the order of its keys.
final class TemplateDictionary {
  let keys: [TemplateValue]
  let values: [TemplateValue]
  fileprivate let positions: [TemplateKey: Int]
  let depth: Int

  fileprivate init(_ builder: TemplateDictionaryBuilder) {
    keys = builder.keys
    values = builder.values
    positions = builder.positions
    depth = builder.depth + 1
  }

  subscript(key: TemplateKey) -> TemplateValue? { positions[key].map { values[$0] } }
}

/// Collects the members of a dictionary; a key that comes again replaces the value and keeps its
/// place.
struct TemplateDictionaryBuilder {
  fileprivate(set) var keys: [TemplateValue] = []
  fileprivate(set) var values: [TemplateValue] = []
  fileprivate var positions: [TemplateKey: Int] = [:]
  /// The depth of the deepest member.
  private(set) var depth = 0

  init() {}

  init(_ dictionary: TemplateDictionary) {
    keys = dictionary.keys
    values = dictionary.values
    positions = dictionary.positions
    depth = dictionary.depth - 1
  }

  mutating func set(_ position: TemplateKey, _ key: TemplateValue, _ value: TemplateValue) {
    depth = max(depth, key.depth, value.depth)
    if let index = positions[position] {
      values[index] = value
    } else {
      positions[position] = keys.count
      keys.append(key)
      values.append(value)
    }
  }

  mutating func set(_ name: String, _ value: TemplateValue) {
    set(.string(ExactString(name)), .string(name), value)
  }

  /// The member `name`.
  func value(_ name: String) -> TemplateValue? {
    positions[.string(ExactString(name))].map { values[$0] }
  }

  var dictionary: TemplateDictionary { TemplateDictionary(self) }
}

/// What makes two keys of a dictionary the same: as in Python, `1`, `1.0` and `True` are one key.
enum TemplateKey: Hashable {
  case undefined
  case none
  case integer(Int)
  case number(Double)
  case string(ExactString)
  case tuple([TemplateKey])
  case entry(kind: String, Int)
}

/// A string that equals another one when both hold the same characters by number, as in Python;
/// Swift's `String` takes different spellings of an accented letter for the same.
struct ExactString: Hashable {
  let text: String

  init(_ text: String) { self.text = text }

  static func == (left: ExactString, right: ExactString) -> Bool {
    guard left.text.utf8.count == right.text.utf8.count else { return false }
    let isEqual = left.text.utf8.withContiguousStorageIfAvailable { first in
      right.text.utf8.withContiguousStorageIfAvailable { first.elementsEqual($0) }
    }
    return (isEqual ?? nil) ?? left.text.utf8.elementsEqual(right.text.utf8)
  }

  func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}
