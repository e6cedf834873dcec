internal import NibbleCheckpoints

/// Reads keys below `tokenizer.ggml.` with the type that they must have.
struct TokenizerKeys {
  private let metadata: Metadata

  init(_ metadata: Metadata) { self.metadata = metadata }

  func fault(_ key: String, _ reason: String) -> ModelError {
    .tokenizer("tokenizer.ggml.\(key)", reason)
  }

  func missing(_ key: String) -> ModelError {
    ModelError(.missing, "tokenizer.ggml.\(key) is missing")
  }

  func has(_ key: String) -> Bool { value(key) != nil }

  private func value(_ key: String) -> MetadataValue? { metadata["tokenizer.ggml.\(key)"] }

  func text(_ key: String) throws(ModelError) -> String? {
    guard let value = value(key) else { return nil }
    guard let text = value.string else { throw fault(key, "not a text") }
    return text
  }

  func requiredText(_ key: String) throws(ModelError) -> String {
    guard let text = try text(key) else { throw missing(key) }
    return text
  }

  func flag(_ key: String) throws(ModelError) -> Bool? {
    guard let value = value(key) else { return nil }
    guard let flag = value.bool else { throw fault(key, "not true or false") }
    return flag
  }

  func texts(_ key: String) throws(ModelError) -> [String]? {
    guard let value = value(key) else { return nil }
    if let texts = value.strings { return texts }
    if case .array(_, let elements) = value, elements.isEmpty { return [] }
    throw fault(key, "not an array of texts")
  }

  func integers(_ key: String) throws(ModelError) -> [Int]? {
    switch value(key) {
    case nil: return nil
    case .int32s(let values): return values.map { Int($0) }
    case .uint32s(let values): return values.map { Int($0) }
    case .array(_, let elements):
      var result: [Int] = []
      for element in elements {
        guard let integer = element.integer else { throw fault(key, "not an array of integers") }
        result.append(integer)
      }
      return result
    default: throw fault(key, "not an array of integers")
    }
  }

  func bytes(_ key: String) throws(ModelError) -> [UInt8]? {
    guard let integers = try integers(key) else { return nil }
    var result: [UInt8] = []
    result.reserveCapacity(integers.count)
    for value in integers {
      // Some writers take the bytes for signed ones.
      guard let byte = UInt8(exactly: value) ?? Int8(exactly: value).map(UInt8.init(bitPattern:))
      else { throw fault(key, "not an array of bytes") }
      result.append(byte)
    }
    return result
  }

  func numbers(_ key: String) throws(ModelError) -> [Float]? {
    guard let value = value(key) else { return nil }
    guard case .float32s(let values) = value else { throw fault(key, "not an array of numbers") }
    return values
  }

  /// A token id; nil when the key is absent or holds the sign for "none", -1.
  func id(_ key: String, below count: Int) throws(ModelError) -> Int? {
    guard let value = value(key) else { return nil }
    guard let id = value.integer else { throw fault(key, "not a whole number") }
    if id == -1 || id == Int(UInt32.max) { return nil }
    guard id >= 0, id < count else {
      throw fault(key, "\(id) is outside the vocabulary of \(count)")
    }
    return id
  }
}
