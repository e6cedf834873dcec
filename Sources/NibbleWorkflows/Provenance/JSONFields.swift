internal import NibbleCheckpoints

/// The members of a JSON object that came from outside, each asked for with the kind that it must have.
struct JSONFields {
  private let object: JSONObject
  /// What the object is, in messages: "the recipe".
  private let subject: String

  /// - Throws: `CheckpointError` when there is no value, or one that is no object.
  init(_ value: JSONValue?, _ subject: String) throws(CheckpointError) {
    guard let object = value?.object else {
      throw CheckpointError(.malformed, "\(subject) is missing or no JSON object")
    }
    self.object = object
    self.subject = subject
  }

  /// Says what is wrong with a member.
  func fault(_ key: String, _ reason: String) -> CheckpointError {
    CheckpointError(.malformed, "\"\(key)\" of \(subject) \(reason)")
  }

  /// The member, unless it is missing or null.
  subscript(key: String) -> JSONValue? {
    guard let value = object[key], !value.isNull else { return nil }
    return value
  }

  func optionalString(_ key: String) throws(CheckpointError) -> String? {
    guard let value = self[key] else { return nil }
    guard let text = value.string else { throw fault(key, "is no string") }
    return text
  }

  func string(_ key: String) throws(CheckpointError) -> String {
    guard let text = try optionalString(key) else { throw fault(key, "is missing") }
    return text
  }

  /// A number that is not negative.
  func count(_ key: String) throws(CheckpointError) -> Int {
    guard let value = self[key] else { throw fault(key, "is missing") }
    guard let number = value.integer, number >= 0 else {
      throw fault(key, "is no whole number from 0 on")
    }
    return number
  }

  /// A flag; false where it is missing.
  func flag(_ key: String) throws(CheckpointError) -> Bool {
    guard let value = self[key] else { return false }
    guard let flag = value.bool else { throw fault(key, "is neither true nor false") }
    return flag
  }

  /// A list; empty where it is missing.
  func list(_ key: String) throws(CheckpointError) -> [JSONValue] {
    guard let value = self[key] else { return [] }
    guard let list = value.array else { throw fault(key, "is no list") }
    return list
  }

  /// A list of strings; empty where it is missing.
  func strings(_ key: String) throws(CheckpointError) -> [String] {
    var texts: [String] = []
    for value in try list(key) {
      guard let text = value.string else { throw fault(key, "holds something else than strings") }
      texts.append(text)
    }
    return texts
  }

  /// A name out of several.
  func name<Name: RawRepresentable>(
    _ key: String, _: Name.Type
  ) throws(CheckpointError) -> Name where Name.RawValue == String {
    let text = try string(key)
    guard let name = Name(rawValue: text) else {
      throw CheckpointError(
        .unsupported, "\"\(key)\" of \(subject) is \"\(text)\", which this version does not know")
    }
    return name
  }
}
