import Foundation
import NibbleCheckpoints
import NibbleModels
import NibbleTensors
import TestSupport
import Testing

/// Logits of tiny random models against those of transformers (scripts/fixtures/models.py).
@Suite struct GoldenLogitsTests {
  static let names = GoldenModel.names

  /// What the largest difference may be. Keys and values in half precision are off by up to 2⁻¹¹ of a value, as bfloat16 by up
  /// to 2⁻⁸ of it, in blocks by up to 1/254 of the block's largest.
  private func tolerance(_ type: CacheType) -> Float {
    switch type {
    case .float32: 1e-4
    case .float16: 1e-3
    case .bfloat16: 1.2e-2
    case .blocks8: 4e-2
    }
  }

  @Test(arguments: names, CacheType.allCases)
  func agreesWithTransformersInOnePass(_ name: String, _ type: CacheType) throws {
    let model = try LanguageModel(path: Fixtures.path("models/\(name)"))
    let session = InferenceSession(
      model, contextCount: 256, pool: WorkerPool(threadCount: 2), cacheType: type)
    for golden in try GoldenModel.cases(name) {
      session.truncate(to: 0)
      let logits = try session.run(golden.prompt, outputs: .rows(0..<golden.prompt.count))
      for (row, expected) in golden.rows {
        let difference = GoldenModel.difference(logits, row: row, expected)
        #expect(difference < tolerance(type), "\(golden.prompt.count) tokens, row \(row)")
      }
    }
  }

  @Test(arguments: names, CacheType.allCases)
  func agreesWithTransformersTokenByToken(_ name: String, _ type: CacheType) throws {
    let model = try LanguageModel(path: Fixtures.path("models/\(name)"))
    let session = InferenceSession(
      model, contextCount: 256, pool: WorkerPool(threadCount: 1), cacheType: type)
    for golden in try GoldenModel.cases(name) {
      // The goldens come from one pass, in which a long text turns all keys alike; token by token, early keys were turned
      // when the text was still short, in transformers too.
      if let limit = model.config.rope?.lengthLimit, golden.prompt.count > limit { continue }
      session.truncate(to: 0)
      for (position, token) in golden.prompt.enumerated() {
        let logits = try session.run([token])
        for (row, expected) in golden.rows where row == position {
          let difference = GoldenModel.difference(logits, row: 0, expected)
          #expect(difference < tolerance(type), "\(golden.prompt.count) tokens, row \(row)")
        }
      }
    }
  }

  @Test func coversEveryFamily() throws {
    let families = try Set(
      Self.names.map { try LanguageModel(path: Fixtures.path("models/\($0)")).config.modelType })
    #expect(
      families.isSuperset(of: [
        "llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe", "gemma2", "gemma3_text",
        "phi3", "gpt2",
      ]))
  }

  @Test func countsTheTokensOfEachExpert() throws {
    let model = try LanguageModel(path: Fixtures.path("models/qwen3-moe-dense-layer"))
    let session = InferenceSession(model, contextCount: 256, pool: WorkerPool(threadCount: 1))
    let prompt = try #require(GoldenModel.cases("qwen3-moe-dense-layer").last).prompt
    _ = try session.run(prompt)
    #expect(session.expertTokenCounts.keys.sorted() == [1])
    for counts in session.expertTokenCounts.values {
      #expect(counts.count == 6)
      #expect(counts.reduce(0, +) == 2 * prompt.count)
    }
  }

  @Test func knowsHowManyPositionsWereLearned() throws {
    let model = try LanguageModel(path: Fixtures.path("models/gpt2-bare"))
    let session = InferenceSession(model, contextCount: 300, pool: WorkerPool(threadCount: 1))
    _ = try session.run([Int](repeating: 5, count: model.config.contextCount))
    #expect(throws: ModelError.self) { try session.run([5]) }
  }

  @Test func isTheSameForAnyThreadCount() throws {
    let model = try LanguageModel(path: Fixtures.path("models/llama-grouped"))
    let prompt = try GoldenModel.cases("llama-grouped")[2].prompt
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
    let golden = try GoldenModel.cases("llama-grouped")[2]
    let differences = try [CacheType.float16, .float32].map { type in
      let session = InferenceSession(
        model, contextCount: 128, pool: WorkerPool(threadCount: 1), cacheType: type)
      return GoldenModel.difference(try session.run(golden.prompt), row: 0, golden.logits)
    }
    #expect(differences[1] < differences[0] / 4, "\(differences)")
  }

  @Test(arguments: CacheType.allCases) func forgetsWhatIsTruncated(_ type: CacheType) throws {
    let model = try LanguageModel(path: Fixtures.path("models/llama-grouped"))
    let session = InferenceSession(
      model, contextCount: 64, pool: WorkerPool(threadCount: 1), cacheType: type)
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
