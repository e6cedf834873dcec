import Foundation
import NibbleCheckpoints
import NibbleModels
import Testing

/// A small tokenizer and what the `tokenizers` package makes of the corpus with it.
struct TokenizerFixture: CustomTestStringConvertible {
  static let names = [
    "gpt2", "smollm", "llama3", "qwen2", "tekken", "llama2", "metaspace", "gemma", "t5", "steps",
  ]
  /// The families that GGUF can name.
  static let namesInGGUF = names.filter { $0 != "steps" }
  static let byteLevelNames = ["gpt2", "smollm", "llama3", "tekken"]

  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../Fixtures/tokenizers").standardizedFileURL

  let name: String
  let tokenizerJSON: JSONValue
  /// The ids of each block of the corpus.
  let ids: [[Int]]
  /// What each block's ids decode to.
  let decoded: [String]

  var testDescription: String { name }

  static func blocks() throws -> [String] {
    let data = try Data(contentsOf: folder.appending(path: "corpus.txt"))
    let text = String(decoding: data, as: UTF8.self)
    return text.components(separatedBy: "\n=====\n")
  }

  init(_ name: String) throws {
    self.name = name
    let data = try Data(contentsOf: Self.folder.appending(path: "\(name).json"))
    let value = try JSONValue.parse(Array(data))
    tokenizerJSON = try #require(value["tokenizer"])
    ids = try #require(value["ids"]?.array).map { try #require($0.array).compactMap(\.integer) }
    let texts = try #require(value["decoded"]?.array)
    decoded = try zip(texts, Self.blocks()).map { $0.string ?? $1 }
  }

  func definition() throws(ModelError) -> TokenizerDefinition {
    try TokenizerDefinition(
      tokenizerJSON: tokenizerJSON, tokenizerConfig: ["eos_token": "</s>"], modelConfig: nil,
      vocabularySize: nil,
      chatTemplate: nil)
  }
}

extension String {
  /// Whether the texts have the same bytes; `==` takes canonically equivalent texts for equal.
  func isIdentical(to other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
