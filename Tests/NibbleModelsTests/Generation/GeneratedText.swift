import NibbleModels
import NibbleTensors

/// What a generator gave for a prompt, for comparisons.
struct GeneratedText: Equatable {
  var text = ""
  var tokenCount = 0
  var finish: TextGenerator.Finish?

  /// A text by itself, without guesses, in a session as long as a batch would give it.
  static func alone(
    _ model: LanguageModel, _ request: BatchGenerator.Request, contextLimit: Int? = nil,
    threadCount: Int = 1
  ) throws -> GeneratedText {
    let limit = contextLimit ?? model.config.contextCount
    let session = InferenceSession(
      model, contextCount: min(limit, request.prompt.count + request.tokenLimit),
      pool: WorkerPool(threadCount: threadCount))
    var generator = try TextGenerator(
      session, prompt: request.prompt, options: request.options, tokenLimit: request.tokenLimit)
    var result = GeneratedText()
    while let piece = try generator.next() { result.text += piece }
    result.tokenCount = generator.tokenCount
    result.finish = generator.finish
    return result
  }

  /// All texts of a batch.
  static func together(_ generator: inout BatchGenerator) throws -> [GeneratedText] {
    var results = generator.finishes.map { _ in GeneratedText() }
    while let pieces = try generator.next() {
      for piece in pieces { results[piece.index].text += piece.text }
    }
    for index in results.indices {
      results[index].tokenCount = generator.tokenCounts[index]
      results[index].finish = generator.finishes[index]
    }
    return results
  }

  /// Ways to draw tokens: the likeliest, and two that the seed decides.
  static let waysToDraw: [SamplingOptions] = {
    var warm = SamplingOptions()
    warm.temperature = 0.4
    warm.seed = 3
    var hot = SamplingOptions()
    hot.temperature = 1
    hot.topK = 0
    hot.topP = 1
    hot.minP = 0
    hot.repetitionPenalty = 1.2
    hot.seed = 5
    return [SamplingOptions(), warm, hot]
  }()
}
