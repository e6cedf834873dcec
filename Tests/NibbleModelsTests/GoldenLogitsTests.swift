import Foundation
import NibbleCheckpoints
import NibbleModels
import NibbleTensors
import TestSupport
import Testing

/// Logits of tiny random models against those of transformers (scripts/fixtures/models.py).
@Suite struct GoldenLogitsTests {
  static let names = [
    "llama-grouped", "llama-odd-heads", "llama-3-scaling", "llama-linear-scaling",
    "mistral-window",
  ]

  struct Case: Decodable {
    let prompt: [Int]
    let logits: [Float]
  }

  struct Golden: Decodable {
    let cases: [Case]
  }

  private func golden(_ name: String) throws -> [Case] {
    let data = try Data(contentsOf: URL(filePath: Fixtures.path("models/\(name)/logits.json")))
    return try JSONDecoder().decode(Golden.self, from: data).cases
  }

  /// What the largest difference may be. Keys and values in half precision are off by up to 2⁻¹¹ of a value.
  private func tolerance(_ type: CacheType) -> Float { type == .float32 ? 1e-4 : 1e-3 }

  /// The largest difference, relative to the largest logit.
  private func difference(_ logits: Activations, _ expected: [Float]) -> Float {
    logits.withRow(logits.rowCount - 1) { row in
      let scale = expected.map(abs).max() ?? 1
      return zip(row, expected).map { abs($0 - $1) / scale }.max() ?? 0
    }
  }

  @Test(arguments: names, CacheType.allCases)
  func agreesWithTransformersInOnePass(_ name: String, _ type: CacheType) throws {
    let model = try LanguageModel(path: Fixtures.path("models/\(name)"))
    let session = InferenceSession(
      model, contextCount: 128, pool: WorkerPool(threadCount: 2), cacheType: type)
    for golden in try golden(name) {
      session.truncate(to: 0)
      let logits = try session.run(golden.prompt)
      #expect(difference(logits, golden.logits) < tolerance(type), "\(golden.prompt.count) tokens")
    }
  }

  @Test(arguments: names, CacheType.allCases)
  func agreesWithTransformersTokenByToken(_ name: String, _ type: CacheType) throws {
    let model = try LanguageModel(path: Fixtures.path("models/\(name)"))
    let session = InferenceSession(
      model, contextCount: 128, pool: WorkerPool(threadCount: 1), cacheType: type)
    for golden in try golden(name) {
      session.truncate(to: 0)
      var logits = try session.run([golden.prompt[0]])
      for token in golden.prompt.dropFirst() { logits = try session.run([token]) }
      #expect(difference(logits, golden.logits) < tolerance(type), "\(golden.prompt.count) tokens")
    }
  }

  @Test func isTheSameForAnyThreadCount() throws {
    let model = try LanguageModel(path: Fixtures.path("models/llama-grouped"))
    let prompt = try golden("llama-grouped")[2].prompt
    let results = try [1, 2, 3].map { threadCount in
      let session = InferenceSession(
        model, contextCount: 128, pool: WorkerPool(threadCount: threadCount))
      let logits = try session.run(prompt, outputs: .rows(0..<prompt.count))
      return (0..<prompt.count).map { logits.withRow($0) { Array($0) } }
    }
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
  }

  @Test func singlePrecisionCacheRoundsNothing() throws {
    let model = try LanguageModel(path: Fixtures.path("models/llama-grouped"))
    let golden = try golden("llama-grouped")[2]
    let differences = try CacheType.allCases.map { type in
      let session = InferenceSession(
        model, contextCount: 128, pool: WorkerPool(threadCount: 1), cacheType: type)
      return difference(try session.run(golden.prompt), golden.logits)
    }
    #expect(differences[1] < differences[0] / 4, "\(differences)")
  }

  @Test func forgetsWhatIsTruncated() throws {
    let model = try LanguageModel(path: Fixtures.path("models/llama-grouped"))
    let session = InferenceSession(model, contextCount: 64, pool: WorkerPool(threadCount: 1))
    _ = try session.run([5, 6, 7, 8])
    let expected = try session.run([9]).withRow(0) { Array($0) }
    session.truncate(to: 4)
    _ = try session.run([11, 12])
    session.truncate(to: 4)
    #expect(try session.run([9]).withRow(0) { Array($0) } == expected)
    #expect(session.tokens == [5, 6, 7, 8, 9])
  }

  @Test func refusesWhatDoesNotFit() throws {
    let model = try LanguageModel(path: Fixtures.path("models/llama-grouped"))
    let session = InferenceSession(model, contextCount: 4, pool: WorkerPool(threadCount: 1))
    #expect(throws: ModelError.self) { try session.run([3, 3, 3, 3, 3]) }
    #expect(throws: ModelError.self) { try session.run([64]) }
    #expect(throws: ModelError.self) { try session.run([-1]) }
    #expect(throws: ModelError.self) { try session.run([]) }
    #expect(session.tokens.isEmpty)
  }
}
