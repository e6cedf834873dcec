internal import Foundation
internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleQuantization
internal import NibbleTensors

/// All that the codes of a model's layers depend on: a run may go on where another with an equal plan stopped.
///
/// Threads and memory are no part of it, since no bit depends on them.
struct JournalPlan {
  /// Changes with the arrangement of the journal's files.
  private static let version: Int64 = 1

  /// The plan as it is stored: one string or number for each thing that can differ.
  let json: JSONObject

  init(
    _ calibration: CalibratedQuantization, _ model: LanguageModel, windows: [[Int]],
    tasks: [TensorTask]
  ) {
    json = JSONObject([
      "journal": .integer(Self.version),
      "program": .string(Self.fileIdentity(Bundle.main.executablePath ?? "")),
      "processor": .string(MachineNumerics.description),
      "model": .string(Self.hash(Self.identity(of: model))),
      "text": .string(Self.hash(windows)),
      "types": .string(Self.hash(tasks.map(Self.identity).joined(separator: "\n"))),
      "method": .string(calibration.method.rawValue),
      "effort": .string(calibration.effort.rawValue),
      "settings": .string(calibration.settings),
    ])
  }

  /// What differs from a plan that was stored.
  func differences(from other: JSONObject) -> [String] {
    (json.keys + other.keys.filter { json[$0] == nil }).filter { json[$0] != other[$0] }
  }

  /// The model's configuration as its files spell it, its tensors, and sizes and times of its files.
  private static func identity(of model: LanguageModel) -> String {
    let checkpoint = model.source.checkpoint
    var lines: [String] = []
    if let config = try? checkpoint.json("config.json") { lines.append(config.text()) }
    for key in checkpoint.metadata.keys where !key.hasPrefix("tokenizer.") {
      lines.append("\(key) \(checkpoint.metadata[key].map { "\($0)" } ?? "")")
    }
    lines += checkpoint.tensors.map {
      "\($0.name) \($0.shape) \($0.type.name) \($0.parts.map(\.count))"
    }
    lines += weightFiles(of: checkpoint).map(fileIdentity)
    return lines.joined(separator: "\n")
  }

  /// The files of a folder that can hold weights, or the file itself.
  private static func weightFiles(of checkpoint: Checkpoint) -> [String] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: checkpoint.path) else {
      return [checkpoint.path]
    }
    let endings =
      checkpoint.format == .gguf ? [".gguf"] : [".safetensors", ".safetensors.index.json"]
    return names.sorted()
      .filter { name in endings.contains(where: name.hasSuffix) }
      .map { checkpoint.path + "/" + $0 }
  }

  /// Name, size and time of the last change, links followed.
  private static func fileIdentity(_ path: String) -> String {
    let url = URL(filePath: path)
    let target = url.resolvingSymlinksInPath().path
    let attributes = try? FileManager.default.attributesOfItem(atPath: target)
    let byteCount = (attributes?[.size] as? NSNumber)?.intValue ?? -1
    let changed = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
    return "\(url.lastPathComponent) \(byteCount) \(changed)"
  }

  private static func identity(of task: TensorTask) -> String {
    "\(task.name) \(task.shape) \(task.sourceType.name) \(task.type.name) \(task.isCalibrated)"
      + (task.factors.map { " \($0.hash.value)" } ?? "")
      + (task.folderFormat.map { " \($0)" } ?? "")
  }

  private static func hash(_ text: String) -> String {
    Array(text.utf8).withUnsafeBytes { hash(ByteHash($0)) }
  }

  private static func hash(_ windows: [[Int]]) -> String {
    let all = windows.map { $0.withUnsafeBytes { ByteHash($0).value } }
    return "\(windows.count) windows "
      + all.withUnsafeBytes { hash(ByteHash($0)) }
  }

  private static func hash(_ hash: ByteHash) -> String { String(hash.value, radix: 16) }
}
