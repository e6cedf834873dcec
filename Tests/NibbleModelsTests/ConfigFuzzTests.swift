import Foundation
import NibbleCheckpoints
import NibbleModels
import NibbleTensors
import TestSupport
import Testing

/// Configurations of every family with values replaced: they are refused with a message, or they run.
@Suite struct ConfigFuzzTests {
  static let strange: [JSONValue] = [
    nil, 0, 1, 2, 3, 7, -1, 0.5, -2.5, 1e30, 1e-30, 65_536, 1_000_000, 4_611_686_018_427_387_904,
    true, false, "", "full_attention", [], [1, 2, 3], ["sliding_attention"], ["a": 1],
  ]

  static let names = [
    "llama-yarn", "llama-longrope", "mixtral", "qwen2-window", "qwen3", "qwen3-moe-dense-layer",
    "gemma2", "gemma3", "gemma3-wrapped", "phi3-partial", "gpt2",
  ]

  @Test(arguments: names) func strangeConfigurations(_ name: String) throws {
    let origin = Fixtures.path("models/\(name)")
    let folder = try TemporaryFolder()
    for file in ["model.safetensors", "tokenizer.json"] {
      try FileManager.default.createSymbolicLink(
        atPath: folder.path(file), withDestinationPath: "\(origin)/\(file)")
    }
    let config = try JSONValue.parse(
      Array(try Data(contentsOf: URL(filePath: "\(origin)/config.json"))))
    var refusedCount = 0
    var runCount = 0
    for changed in Self.variants(of: config) {
      try Data(changed.text().utf8).write(to: URL(filePath: folder.path("config.json")))
      do {
        let source = try ModelSource.open(folder.url.path)
        guard source.config != nil else { continue }
        _ = try source.ggufMetadata()
        let session = InferenceSession(
          try LanguageModel(source), contextCount: 8, pool: WorkerPool(threadCount: 1))
        _ = try session.run([5, 6, 7])
        runCount += 1
      } catch {
        #expect(error is ModelError || error is CheckpointError, "\(error)")
        refusedCount += 1
      }
    }
    #expect(refusedCount > 50, "\(refusedCount)")
    #expect(runCount > 20, "\(runCount)")
  }

  /// The configuration with one value replaced, at any depth.
  private static func variants(of value: JSONValue) -> [JSONValue] {
    var all = strange
    if let object = value.object {
      for key in object.keys {
        for changed in variants(of: object[key] ?? .null) {
          var copy = object
          copy[key] = changed
          all.append(.object(copy))
        }
      }
    }
    return all
  }
}
