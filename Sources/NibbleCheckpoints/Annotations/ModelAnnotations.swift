/// What Nibble keeps in a model's files about the model: what made it, and what was found when it was verified.
///
/// In a GGUF file each is the text of a key, in a single safetensors file an entry of `__metadata__` of the same name; a
/// folder has them together in one file, ``fileName``. Other programs pass over all of these.
public struct ModelAnnotations: Sendable, Equatable {
  /// The file in a folder.
  public static let fileName = "nibble.json"
  /// With what all keys begin.
  static let prefix = "nibble."
  private static let versionKey = "nibble.version"
  private static let provenanceKey = "nibble.provenance"
  private static let verdictKey = "nibble.verdict"
  /// In the order in which they are written.
  static let keys = [versionKey, provenanceKey, verdictKey]

  /// The version of Nibble that wrote the model.
  public var version: String?
  /// How the model was made: a JSON object.
  public var provenance: JSONValue?
  /// What verifying it found: a JSON object.
  public var verdict: JSONValue?

  public init(version: String? = nil, provenance: JSONValue? = nil, verdict: JSONValue? = nil) {
    self.version = version
    self.provenance = provenance
    self.verdict = verdict
  }

  public var isEmpty: Bool { version == nil && provenance == nil && verdict == nil }

  /// The entries of a safetensors file's `__metadata__`.
  public var fileMetadata: [String: String] {
    var texts: [String: String] = [:]
    texts[Self.versionKey] = version
    texts[Self.provenanceKey] = provenance?.text()
    texts[Self.verdictKey] = verdict?.text()
    return texts
  }

  /// Appends the keys of a GGUF file, in place of others of these names.
  public func write(to metadata: inout Metadata) {
    let texts = fileMetadata
    for key in Self.keys {
      metadata[key] = nil
      metadata[key] = texts[key].map { .string($0) }
    }
  }

  /// The bytes of ``fileName``.
  public var fileBytes: [UInt8] {
    var object = JSONObject()
    object["version"] = version.map { .string($0) }
    object["provenance"] = provenance
    object["verdict"] = verdict
    return Array((JSONValue.object(object).text(.indented(2)) + "\n").utf8)
  }
}

extension ModelAnnotations {
  /// Reads the texts of keys.
  ///
  /// - Throws: ``CheckpointError/Code/malformed`` for a text that is no JSON object.
  init(texts: [String: String]) throws(CheckpointError) {
    version = texts[Self.versionKey]
    provenance = try Self.object(texts[Self.provenanceKey], Self.provenanceKey)
    verdict = try Self.object(texts[Self.verdictKey], Self.verdictKey)
  }

  private static func object(_ text: String?, _ key: String) throws(CheckpointError) -> JSONValue? {
    guard let text else { return nil }
    let value: JSONValue
    do {
      value = try JSONValue.parse(text)
    } catch {
      throw CheckpointError(.malformed, "\(key): \(error.message)")
    }
    guard value.object != nil else {
      throw CheckpointError(.malformed, "\(key) is no JSON object")
    }
    return value
  }

  /// Reads what ``fileBytes`` wrote.
  ///
  /// - Throws: ``CheckpointError/Code/malformed`` for members of other kinds.
  init(json: JSONValue) throws(CheckpointError) {
    guard let object = json.object else {
      throw CheckpointError(.malformed, "\(Self.fileName) is no JSON object")
    }
    if let value = object["version"], !value.isNull {
      guard let text = value.string else {
        throw CheckpointError(.malformed, "version in \(Self.fileName) is no string")
      }
      version = text
    }
    provenance = try Self.member("provenance", of: object)
    verdict = try Self.member("verdict", of: object)
  }

  private static func member(
    _ key: String, of object: JSONObject
  ) throws(CheckpointError) -> JSONValue? {
    guard let value = object[key], !value.isNull else { return nil }
    guard value.object != nil else {
      throw CheckpointError(.malformed, "\(key) in \(fileName) is no JSON object")
    }
    return value
  }
}

extension Checkpoint {
  /// What Nibble keeps in the files about the model; empty where another program wrote them.
  ///
  /// - Throws: ``CheckpointError`` for entries of another kind than Nibble writes, and unreadable files.
  public func annotations() throws(CheckpointError) -> ModelAnnotations {
    var texts: [String: String] = [:]
    for key in ModelAnnotations.keys {
      if let value = metadata[key] {
        guard let text = value.string else {
          throw CheckpointError(.malformed, "the key \(key) is no string", file: path)
        }
        texts[key] = text
      }
      if let text = fileMetadata[key] { texts[key] = text }
    }
    do {
      if texts.isEmpty, let stored = try json(ModelAnnotations.fileName) {
        return try ModelAnnotations(json: stored)
      }
      return try ModelAnnotations(texts: texts)
    } catch {
      throw error.inFile(path)
    }
  }
}

extension Metadata {
  /// Removes what Nibble keeps about the model that the file was.
  package mutating func removeAnnotations() {
    for key in keys where key.hasPrefix(ModelAnnotations.prefix) { self[key] = nil }
  }
}
