/// A JSON value (RFC 8259). Objects keep the order of their keys; whole numbers that fit stay
/// integers.
public enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)

  /// The member `key` of an object; nil for other values and absent keys.
  public subscript(key: String) -> JSONValue? {
    if case .object(let object) = self { object[key] } else { nil }
  }

  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
  public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }
  public var isNull: Bool { self == .null }

  /// The value as an integer; a number such as `1e3` counts when it is whole and exact.
  public var integer: Int? {
    switch self {
    case .integer(let value): Int(value)
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }

  /// The value as a floating-point number.
  public var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
}

/// The members of a JSON object in the order in which they were written.
public struct JSONObject: Sendable, Equatable {
  /// Keys in order.
  public private(set) var keys: [String] = []
  /// By exact bytes: vocabularies hold keys that Unicode calls equivalent.
  private var values: [ExactKey: JSONValue] = [:]

  public init() {}

  public init(_ members: KeyValuePairs<String, JSONValue>) {
    for (key, value) in members { self[key] = value }
  }

  public var count: Int { keys.count }

  /// Reads, appends, replaces in place, or (with nil) removes a member.
  public subscript(key: String) -> JSONValue? {
    get { values[ExactKey(key)] }
    set {
      if let newValue {
        if values.updateValue(newValue, forKey: ExactKey(key)) == nil { keys.append(key) }
      } else if values.removeValue(forKey: ExactKey(key)) != nil {
        keys.removeAll { ExactKey($0) == ExactKey(key) }
      }
    }
  }

  /// Appends a member; returns false, and changes nothing, when the key is there already.
  mutating func append(_ key: String, _ value: JSONValue) -> Bool {
    guard let old = values.updateValue(value, forKey: ExactKey(key)) else {
      keys.append(key)
      return true
    }
    values[ExactKey(key)] = old
    return false
  }

  mutating func reserveCapacity(_ count: Int) {
    keys.reserveCapacity(count)
    values.reserveCapacity(count)
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(nilLiteral: ()) { self = .null }
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    var object = JSONObject()
    for (key, value) in elements { object[key] = value }
    self = .object(object)
  }
}
