import Foundation
import Nibble
import TestSupport
import Testing

@Suite("Calibration text")
struct CalibrationTextTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func write(_ name: String, _ text: String) throws -> String {
    let path = folder.path(name)
    try Data(text.utf8).write(to: URL(filePath: path))
    return path
  }

  private func model(template: Bool = false) throws -> LanguageModel {
    let path = folder.path("model-\(UUID())")
    try TinyModel().write(to: path)
    if template {
      let text = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
      try Data(text.utf8).write(to: URL(filePath: path + "/chat_template.jinja"))
    }
    return try LanguageModel(path: path)
  }

  @Test("A text file, and an empty one")
  func textFile() throws {
    let path = try write("a.txt", "hello\n")
    #expect(try CalibrationText.read(path).documents == [.text("hello\n")])
    #expect(try CalibrationText.read(try write("b.txt", "")).documents.isEmpty)
  }

  @Test("JSON lines: texts and conversations")
  func jsonLines() throws {
    let path = try write(
      "a.jsonl",
      """
      {"text": "one"}

      {"messages": [{"role": "user", "content": "two"}, {"role": "assistant", "content": "three"}]}
      """)
    let documents = try CalibrationText.read(path).documents
    #expect(documents.count == 2 && documents[0] == .text("one"))
    let model = try model(template: true)
    let tokens = try CalibrationText(name: "c", documents: documents).tokens(model)
    #expect(model.tokenizer.decode(tokens) == "one[user]two[assistant]three")
  }

  @Test("A folder: its texts in the order of their names")
  func folderOfTexts() throws {
    let texts = folder.path("texts")
    try FileManager.default.createDirectory(atPath: texts, withIntermediateDirectories: true)
    _ = try write("texts/b.txt", "b")
    _ = try write("texts/a.md", "a")
    _ = try write("texts/c.jsonl", #"{"text": "c"}"#)
    _ = try write("texts/.hidden.txt", "no")
    _ = try write("texts/d.bin", "no")
    #expect(try CalibrationText.read(texts).documents == [.text("a"), .text("b"), .text("c")])
  }

  @Test("What cannot be read is refused with file and line")
  func refusals() throws {
    let broken = try write("x.jsonl", "{\"text\": \"a\"}\n{\"text\": 3}\n")
    let error = #expect(throws: CheckpointError.self) { _ = try CalibrationText.read(broken) }
    #expect(error.map { "\($0)" }?.contains("line 2") == true)
    for text in ["[1]", "{", "{\"messages\": []}", "{\"messages\": [1]}", "\u{0}"] {
      let path = try write("y.jsonl", text)
      #expect(throws: (any Error).self) { _ = try CalibrationText.read(path) }
    }
    let path = folder.path("z.txt")
    try Data([0xFF, 0xFE]).write(to: URL(filePath: path))
    #expect(throws: FileError.self) { _ = try CalibrationText.read(path) }
    #expect(throws: FileError.self) { _ = try CalibrationText.read(folder.path("missing")) }
    let empty = folder.path("empty")
    try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: true)
    #expect(throws: FileError.self) { _ = try CalibrationText.read(empty) }
  }

  @Test("Windows: in order, without overlap, at most so many")
  func windows() throws {
    let model = try model()
    let text = CalibrationText(name: "t", documents: [.text("abcdefghijklmnopqrst")])
    let tokens = try text.tokens(model)
    var windows = CalibrationWindows()
    windows.tokenCount = 6
    #expect(
      try windows.cut(text, for: model) == (0..<3).map { Array(tokens[6 * $0..<6 * $0 + 6]) })
    windows.limit = 2
    #expect(try windows.cut(text, for: model).count == 2)
    var starts: Set<[Int]> = []
    for seed in 0..<20 {
      windows.seed = UInt64(seed)
      let cut = try windows.cut(text, for: model)
      #expect(try cut == windows.cut(text, for: model))
      let first = try #require(tokens.firstIndex(of: cut[0][0]))
      #expect(cut.flatMap(\.self) == Array(tokens[first..<first + 12]))
      starts.insert(cut[0])
    }
    #expect(starts.count > 3)
  }

  @Test("Windows that do not exist are refused")
  func noWindows() throws {
    let model = try model()
    let text = CalibrationText(name: "t", documents: [.text("abc")])
    for (limit, count) in [(64, 512), (64, 100), (0, 2), (1, 1)] {
      var windows = CalibrationWindows()
      windows.limit = limit
      windows.tokenCount = count
      #expect(throws: ModelError.self) { _ = try windows.cut(text, for: model) }
    }
  }

  @Test("The text that comes along gives some windows")
  func builtIn() throws {
    let tokens = try CalibrationText.builtIn.tokens(try model())
    #expect(tokens.count > 4000)
  }
}
