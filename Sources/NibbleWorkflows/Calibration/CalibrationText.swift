internal import Foundation
internal import NibbleCheckpoints
public import NibbleModels
internal import NibbleTensors

/// What a model is calibrated with: texts and conversations, in order.
public struct CalibrationText: Sendable, Equatable {
  /// One text.
  public enum Document: Sendable, Equatable {
    case text(String)
    /// Goes through the model's chat template.
    case conversation([ChatMessage])
  }

  /// What to call it in files and messages.
  public var name: String
  public var documents: [Document]

  /// What users hear who gave no text.
  static let builtInNote =
    "no text was given: calibrated with a short text that comes with Nibble; text like that which the model"
    + " will see gives better results"

  public init(name: String, documents: [Document]) {
    self.name = name
    self.documents = documents
  }

  /// Reads a UTF-8 text, JSON lines (`.jsonl`: objects with a `text`, or with `messages` as chat APIs take them), or a folder
  /// of such files, in the order of their names; hidden files and those with other endings than `.txt`, `.md` and `.jsonl` are
  /// left out there.
  ///
  /// - Throws: `FileError`, or `CheckpointError` that names the line.
  public static func read(_ path: String) throws -> CalibrationText {
    var isFolder: ObjCBool = false
    let name = URL(filePath: path).lastPathComponent
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue
    else { return CalibrationText(name: name, documents: try documents(path)) }
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: path)
    } catch {
      throw FileError(path: path, reason: "cannot list the folder")
    }
    let files = names.sorted().filter { file in
      !file.hasPrefix(".") && [".txt", ".md", ".jsonl"].contains(where: file.hasSuffix)
    }
    guard !files.isEmpty else {
      throw FileError(path: path, reason: "the folder holds no .txt, .md or .jsonl file")
    }
    return CalibrationText(
      name: name, documents: try files.flatMap { try documents("\(path)/\($0)") })
  }

  private static func documents(_ path: String) throws -> [Document] {
    let bytes = try Storage.mapping(path: path).view
    guard let text = bytes.withUnsafeBytes({ String(validating: $0, as: UTF8.self) }) else {
      throw FileError(path: path, reason: "is not UTF-8 text")
    }
    guard path.hasSuffix(".jsonl") else { return text.isEmpty ? [] : [.text(text)] }
    var documents: [Document] = []
    let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated()
    where line.contains(where: { ![0x20, 0x09, 0x0D].contains($0) }) {
      do {
        documents.append(try document(JSONValue.parse(Array(line))))
      } catch {
        let reason = (error as? CheckpointError)?.message ?? "\(error)"
        throw CheckpointError(.malformed, "line \(index + 1): \(reason)", file: path)
      }
    }
    return documents
  }

  private static func document(_ json: JSONValue) throws -> Document {
    if let text = json["text"]?.string { return .text(text) }
    guard let messages = json["messages"]?.array, !messages.isEmpty else {
      throw CheckpointError(.malformed, "has neither a \"text\" nor \"messages\"")
    }
    return .conversation(try messages.map { try ChatMessage(json: $0) })
  }

  /// All documents' tokens, one after another.
  ///
  /// - Throws: `ModelError` when a conversation does not fit the model's chat template.
  public func tokens(_ model: LanguageModel) throws(ModelError) -> [Int] {
    var tokens: [Int] = []
    var template: ChatTemplate?
    for document in documents {
      switch document {
      case .text(let text): tokens += model.tokenizer.encode(text)
      case .conversation(let messages):
        if template == nil { template = try model.chatTemplate() }
        guard let template else { continue }
        let text = try template.render(
          messages: messages, addGenerationPrompt: false,
          specialTokens: model.tokenizer.definition.specialTokens)
        tokens += model.tokenizer.encode(text, addSpecialTokens: false)
      }
    }
    return tokens
  }
}
