/// A value of a GGUF key.
public enum MetadataValue: Hashable, Sendable {
  case uint8(UInt8)
  case int8(Int8)
  case uint16(UInt16)
  case int16(Int16)
  case uint32(UInt32)
  case int32(Int32)
  case uint64(UInt64)
  case int64(Int64)
  case float32(Float)
  case float64(Double)
  case bool(Bool)
  case string(String)
  case strings([String])
  case float32s([Float])
  case int32s([Int32])
  case uint32s([UInt32])
  /// An array of any other element type.
  case array(element: ElementType, [MetadataValue])

  /// The element type of an array; raw values are the file's ids.
  public enum ElementType: UInt32, Sendable {
    case uint8 = 0
    case int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64
  }

  /// The value as an integer, where it is a whole number of any width.
  public var integer: Int? {
    switch self {
    case .uint8(let value): Int(value)
    case .int8(let value): Int(value)
    case .uint16(let value): Int(value)
    case .int16(let value): Int(value)
    case .uint32(let value): Int(value)
    case .int32(let value): Int(value)
    case .uint64(let value): Int(exactly: value)
    case .int64(let value): Int(exactly: value)
    default: nil
    }
  }

  /// The value as a floating-point number, where it is a number.
  public var number: Double? {
    switch self {
    case .float32(let value): Double(value)
    case .float64(let value): value
    default: integer.map(Double.init)
    }
  }

  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var strings: [String]? { if case .strings(let value) = self { value } else { nil } }
}

/// The keys and values of a GGUF file, in file order.
public struct Metadata: Sendable, Equatable {
  /// Keys in file order.
  public private(set) var keys: [String] = []
  private var values: [String: MetadataValue] = [:]

  public init() {}

  /// Reads, appends, replaces in place, or (with nil) removes a key.
  public subscript(key: String) -> MetadataValue? {
    get { values[key] }
    set {
      if let newValue {
        if values.updateValue(newValue, forKey: key) == nil { keys.append(key) }
      } else if values.removeValue(forKey: key) != nil {
        keys.removeAll { $0 == key }
      }
    }
  }
}
