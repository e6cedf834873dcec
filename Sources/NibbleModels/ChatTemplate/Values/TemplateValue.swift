/// A value of a running template, with Python's meaning.
///
/// Lists and dictionaries never change once made; namespaces, macros and loops are numbers of
/// entries in the evaluator's tables. So values cannot form cycles, and their nesting is known and
/// bounded.
enum TemplateValue {
  /// A name or member that does not exist; holds the message for when it is used.
  case undefined(String)
  case none
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case sequence(TemplateSequence)
  case iterator(TemplateIterator)
  case dictionary(TemplateDictionary)
  case namespace(Int)
  case macro(Int)
  case loop(Int)
  case function(TemplateFunction)
  case method(TemplateMethod)

  init(_ constant: TemplateConstant) {
    switch constant {
    case .none: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .number(let value): self = .number(value)
    case .string(let value): self = .string(value)
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }
  var string: String? { if case .string(let text) = self { text } else { nil } }

  /// The value as an integer where Python's type is int, bool among them.
  var integer: Int? {
    switch self {
    case .integer(let value): value
    case .bool(let value): value ? 1 : 0
    default: nil
    }
  }

  /// The value as a floating-point number where Python's type is int, bool or float.
  var number: Double? {
    if case .number(let value) = self { value } else { integer.map { Double($0) } }
  }

  /// How many containers are stacked in the value.
  var depth: Int {
    switch self {
    case .sequence(let sequence): sequence.depth
    case .iterator(let iterator): iterator.depth
    case .dictionary(let dictionary): dictionary.depth
    case .method(let method): method.receiver.depth + 1
    default: 0
    }
  }

  /// Python's name of the type.
  var typeName: String {
    switch self {
    case .undefined: "Undefined"
    case .none: "NoneType"
    case .bool: "bool"
    case .integer: "int"
    case .number: "float"
    case .string: "str"
    case .sequence(let sequence): sequence.kind.typeName
    case .iterator: "generator"
    case .dictionary: "dict"
    case .namespace: "Namespace"
    case .macro: "Macro"
    case .loop: "LoopContext"
    case .function: "function"
    case .method: "method"
    }
  }

  /// Python's `bool(value)`.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .number(let value): value != 0
    case .string(let text): !text.isEmpty
    case .sequence(let sequence): !sequence.elements.isEmpty
    case .dictionary(let dictionary): !dictionary.keys.isEmpty
    default: true
    }
  }
}

/// A list or another row of values that can be read again and again.
final class TemplateSequence {
  enum Kind: Equatable {
    case list
    case tuple
    case range(start: Int, stop: Int, step: Int)
    case keys
    case values
    case items

    var typeName: String {
      switch self {
      case .list: "list"
      case .tuple: "tuple"
      case .range: "range"
      case .keys: "dict_keys"
      case .values: "dict_values"
      case .items: "dict_items"
      }
    }

    /// Whether elements can be read by number.
    var hasIndexes: Bool {
      switch self {
      case .list, .tuple, .range: true
      default: false
      }
    }
  }

  let kind: Kind
  let elements: [TemplateValue]
  let depth: Int

  /// Makes a row; `depth` is one more than that of the deepest element.
  init(kind: Kind, elements: [TemplateValue], depth: Int) {
    self.kind = kind
    self.elements = elements
    self.depth = depth
  }
}

/// The result of filters such as `map`: values that can be read once.
final class TemplateIterator {
  private var remaining: ArraySlice<TemplateValue>
  let depth: Int

  init(elements: [TemplateValue], depth: Int) {
    remaining = elements[...]
    self.depth = depth
  }

  func next() -> TemplateValue? { remaining.popFirst() }

  /// All values that are left.
  func rest() -> [TemplateValue] {
    defer { remaining = [] }
    return Array(remaining)
  }
}

/// A method together with the value that it belongs to.
final class TemplateMethod {
  let receiver: TemplateValue
  let name: String

  init(receiver: TemplateValue, name: String) {
    self.receiver = receiver
    self.name = name
  }
}

/// The functions that every template can call.
enum TemplateFunction: String {
  case range
  case dictionary = "dict"
  case namespace
  case raiseException = "raise_exception"
  case strftimeNow = "strftime_now"
}
