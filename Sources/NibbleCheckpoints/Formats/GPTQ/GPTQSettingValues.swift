/// The settings of one or more JSON files that should say the same; where they do not, the first file counts.
///
/// A setting may have several names, since the tools that write them differ. Null counts as absent.
struct GPTQSettingValues: Sendable {
  private let files: [(name: String, settings: JSONObject)]

  init(_ files: [(name: String, settings: JSONObject)]) { self.files = files }

  /// The `quantization_config` of `config.json`, nil when there is none.
  ///
  /// - Throws: ``CheckpointError`` when it is no object.
  static func quantizationConfig(_ config: JSONValue?) throws(CheckpointError) -> JSONObject? {
    guard let value = config?["quantization_config"], !value.isNull else { return nil }
    guard let object = value.object else {
      throw CheckpointError(
        .malformed, "quantization_config is no JSON object", file: "config.json")
    }
    return object
  }

  /// Settings that stand within these, under a name for messages.
  func inner(_ settings: JSONObject, name: String) -> GPTQSettingValues {
    GPTQSettingValues([("\(files.first?.name ?? ""), \(name)", settings)])
  }

  /// The first file that has the setting.
  private func find(_ names: [String]) -> (file: String, name: String, value: JSONValue)? {
    for (file, settings) in files {
      for name in names {
        if let value = settings[name], !value.isNull { return (file, name, value) }
      }
    }
    return nil
  }

  private func fault(_ file: String, _ name: String, _ kind: String) -> CheckpointError {
    CheckpointError(.malformed, "the quantization setting \(name) is no \(kind)", file: file)
  }

  func integer(_ names: String...) throws(CheckpointError) -> Int? {
    guard let (file, name, value) = find(names) else { return nil }
    guard let integer = value.integer else { throw fault(file, name, "whole number") }
    return integer
  }

  func bool(_ names: String...) throws(CheckpointError) -> Bool? {
    guard let (file, name, value) = find(names) else { return nil }
    guard let bool = value.bool else { throw fault(file, name, "true or false") }
    return bool
  }

  /// Text in lower case.
  func word(_ names: String...) throws(CheckpointError) -> String? {
    guard let (file, name, value) = find(names) else { return nil }
    guard let string = value.string else { throw fault(file, name, "text") }
    return string.lowercased()
  }

  func object(_ names: String...) throws(CheckpointError) -> JSONObject? {
    guard let (file, name, value) = find(names) else { return nil }
    guard let object = value.object else { throw fault(file, name, "JSON object") }
    return object
  }

  /// A group size: positive, or -1 for whole rows.
  func groupSize(_ names: String...) throws(CheckpointError) -> Int? {
    guard let (file, name, value) = find(names) else { return nil }
    guard let size = value.integer, size == -1 || (1...(1 << 30)).contains(size) else {
      throw fault(file, name, "group size (a positive number, or -1 for whole rows)")
    }
    return size
  }

  /// A line for each setting in which the files contradict each other.
  func contradictions(_ settings: [[String]]) -> [String] {
    guard files.count > 1 else { return [] }
    return settings.compactMap { names in
      guard let first = GPTQSettingValues([files[0]]).find(names) else { return nil }
      for file in files.dropFirst() {
        if let other = GPTQSettingValues([file]).find(names), other.value != first.value {
          return "\(first.file) and \(other.file) contradict each other in \(other.name): "
            + "\(first.file) counts"
        }
      }
      return nil
    }
  }

  func error(_ code: CheckpointError.Code, _ message: String) -> CheckpointError {
    CheckpointError(code, message, file: files.first?.name)
  }
}
