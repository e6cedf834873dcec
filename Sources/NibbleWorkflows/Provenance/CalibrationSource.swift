public import NibbleCheckpoints
internal import NibbleModels

/// What was run through a model, or what was measured when that was done before.
public struct CalibrationSource: Sendable, Equatable {
  public enum Kind: String, Sendable {
    case text
    /// An importance matrix.
    case importance
    /// The text that comes with Nibble.
    case builtIn = "built-in"
  }

  public var kind: Kind
  /// What people call it.
  public var name: String
  /// Where it was read from, as the user wrote it; nil for what was never in a file.
  public var path: String?
  /// SHA-256 of the content: 64 hexadecimal digits.
  public var hash: String

  public init(kind: Kind, name: String, path: String?, hash: String) {
    self.kind = kind
    self.name = name
    self.path = path
    self.hash = hash
  }
}

extension CalibrationSource {
  init(_ text: CalibrationText, path: String?) {
    self.init(kind: .text, name: text.name, path: path, hash: text.contentHash)
  }

  init(_ importance: ImportanceMatrix, path: String?) {
    self.init(
      kind: .importance, name: importance.datasets.joined(separator: ", "), path: path,
      hash: importance.contentHash)
  }

  static var builtIn: CalibrationSource {
    CalibrationSource(
      kind: .builtIn, name: CalibrationText.builtIn.name, path: nil,
      hash: CalibrationText.builtIn.contentHash)
  }

  /// The source as a JSON object.
  public var json: JSONValue {
    var json = JSONObject(["kind": .string(kind.rawValue), "name": .string(name)])
    json["path"] = path.map { .string($0) }
    json["sha256"] = .string(hash)
    return .object(json)
  }

  init(json: JSONValue) throws(CheckpointError) {
    let fields = try JSONFields(json, "the calibration's source")
    self.init(
      kind: try fields.name("kind", Kind.self), name: try fields.string("name"),
      path: try fields.optionalString("path"), hash: try fields.hash("sha256"))
  }
}

extension QuantizeJob {
  /// What the job runs through the model; nil where nothing is.
  var calibrationSource: CalibrationSource? {
    guard calibration != nil || !transforms.isEmpty else { return nil }
    if let importance = calibration?.importance {
      return CalibrationSource(importance, path: calibration?.path)
    }
    if let text = calibration?.text { return CalibrationSource(text, path: calibration?.path) }
    return .builtIn
  }
}

extension CalibrationText {
  /// SHA-256 over all documents, each with its kind and its length in bytes before it.
  var contentHash: String {
    var hash = ContentHash(.sha256)
    for document in documents {
      switch document {
      case .text(let text):
        hash.update("text \(text.utf8.count)\n")
        hash.update(text)
      case .conversation(let messages):
        let text = JSONValue.array(messages.map { .object($0.members) }).text()
        hash.update("messages \(text.utf8.count)\n")
        hash.update(text)
      }
    }
    return hash.hexadecimalDigest()
  }
}

extension ImportanceMatrix {
  /// SHA-256 over all entries: names, sizes and the bits of the numbers.
  var contentHash: String {
    var hash = ContentHash(.sha256)
    for entry in entries {
      hash.update("\(entry.name) \(entry.layerCount)x\(entry.columnCount)\n")
      for numbers in [entry.counts, entry.squareSums] {
        numbers.withUnsafeBytes { hash.update($0) }
      }
    }
    return hash.hexadecimalDigest()
  }
}

extension JSONFields {
  /// A SHA-256 in lower-case digits.
  func hash(_ key: String) throws(CheckpointError) -> String {
    guard let hash = ContentHash.normalized(try string(key)) else {
      throw fault(key, "is no SHA-256 of 64 digits")
    }
    return hash
  }
}
