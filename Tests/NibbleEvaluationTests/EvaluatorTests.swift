import Foundation
import NibbleEvaluation
import NibbleModels
import NibbleTensors
import TestSupport
import Testing

@Suite struct EvaluatorTests {
  private let pool = WorkerPool(threadCount: 2)
  /// Letters that the fixtures' tokenizer knows, one token each.
  private let text = String(
    decoding: (0..<200).map { index -> UInt8 in
      let mixed = index * index * 31 + 7 * index
      return UInt8(35 + mixed % 55)
    }, as: UTF8.self)

  private func model(_ name: String) throws -> LanguageModel {
    try LanguageModel(path: Fixtures.path("models/\(name)"))
  }

  private func options(_ contextCount: Int, windows: Int? = nil) -> Evaluator.Options {
    var options = Evaluator.Options()
    options.contextCount = contextCount
    options.windowLimit = windows
    return options
  }

  /// log P of every token after each of `tokens`, in double precision.
  private func logProbabilities(_ model: LanguageModel, _ tokens: [Int]) throws -> [[Double]] {
    let session = InferenceSession(model, contextCount: tokens.count, pool: pool)
    let logits = try session.run(tokens, outputs: .rows(0..<tokens.count))
    return tokens.indices.map { row in
      logits.withRow(row) { row in
        let values = row.map(Double.init)
        let top = values.max() ?? 0
        let sum = values.reduce(0) { $0 + exp($1 - top) }
        return values.map { $0 - top - log(sum) }
      }
    }
  }

  private func likeliest(_ row: [Double]) -> Int? { row.indices.max { row[$0] < row[$1] } }

  @Test func scoresTheSecondHalfOfEachWindow() throws {
    let model = try model("llama-grouped")
    let reference = try self.model("llama-3-scaling")
    let tokens = model.tokenizer.encode(text)
    #expect(tokens.count == 200)
    let count = 64
    var loss = 0.0
    var referenceLoss = 0.0
    var divergence = 0.0
    var same = 0
    var scored = 0
    for start in [0, 64, 128] {
      let window = Array(tokens[start..<start + count])
      let q = try logProbabilities(model, window)
      let p = try logProbabilities(reference, window)
      for position in count / 2..<count - 1 {
        loss -= q[position][window[position + 1]]
        referenceLoss -= p[position][window[position + 1]]
        for (logP, logQ) in zip(p[position], q[position]) {
          divergence += exp(logP) * (logP - logQ)
        }
        same += likeliest(p[position]) == likeliest(q[position]) ? 1 : 0
        scored += 1
      }
    }
    let result = try Evaluator(model: model, reference: reference, pool: pool)
      .evaluate(text, options: options(count))
    #expect(result.tokenCount == scored)
    #expect(abs(result.perplexity / exp(loss / Double(scored)) - 1) < 1e-5)
    let comparison = try #require(result.comparison)
    #expect(abs(comparison.referencePerplexity / exp(referenceLoss / Double(scored)) - 1) < 1e-5)
    #expect(abs(comparison.divergence / (divergence / Double(scored)) - 1) < 1e-5)
    #expect(comparison.sameTopShare == Double(same) / Double(scored))
    #expect(comparison.medianDivergence <= comparison.divergence99)
    #expect(comparison.divergence99 <= comparison.largestDivergence)
  }

  @Test func findsNoDifferenceToItself() throws {
    let model = try model("llama-grouped")
    let result = try Evaluator(model: model, reference: model, pool: pool)
      .evaluate(text, options: options(32, windows: 2))
    #expect(result.tokenCount == 30)
    #expect(result.comparison?.divergence ?? 1 < 1e-9)
    #expect(result.comparison?.sameTopShare == 1)
    #expect(result.comparison?.referencePerplexity == result.perplexity)
  }

  @Test func isTheSameForAnyThreadCount() throws {
    let model = try model("llama-grouped")
    let reference = try self.model("llama-3-scaling")
    let results = try [1, 2].map { threadCount in
      var result = try Evaluator(
        model: model, reference: reference, pool: WorkerPool(threadCount: threadCount)
      ).evaluate(text, options: options(48))
      result.seconds = 0
      return result
    }
    #expect(results[0] == results[1])
  }

  @Test func refusesWhatCannotBeMeasured() throws {
    let model = try model("llama-grouped")
    let evaluator = Evaluator(model: model, pool: pool)
    #expect(throws: ModelError.self) { try evaluator.evaluate("abc", options: options(32)) }
    #expect(throws: ModelError.self) { try evaluator.evaluate(text, options: options(3)) }
    #expect(throws: ModelError.self) { try evaluator.evaluate(text, options: options(100_000)) }
  }
}
