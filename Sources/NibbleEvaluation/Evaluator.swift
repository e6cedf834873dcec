internal import Foundation
public import NibbleModels
public import NibbleTensors

/// Measures what a model predicts on a text, and how far its predictions are from a reference's.
///
/// As llama-perplexity does it: the text is cut into windows without overlap, and the second half of each window is
/// scored, each token given all before it in its window. The reference runs beside the model, window by window, so
/// that no file of logits is needed and memory does not grow with the text.
public struct Evaluator {
  /// The windows, and how the models run over them.
  public struct Options: Sendable {
    /// Tokens of a window, at least 4.
    public var contextCount = 512
    /// The most windows to take; nil = all that the text gives.
    public var windowLimit: Int?
    /// The format of the keys and values, of the model and of the reference.
    public var cacheType = CacheType.float16

    public init() {}
  }

  private let model: LanguageModel
  private let reference: LanguageModel?
  private let pool: WorkerPool
  /// Rows of logits held at once.
  private let rowLimit = 64

  public init(model: LanguageModel, reference: LanguageModel? = nil, pool: WorkerPool) {
    self.model = model
    self.reference = reference
    self.pool = pool
  }

  /// Evaluates `text`.
  ///
  /// - Parameters:
  ///   - text: what to predict.
  ///   - options: the windows, and how the models run over them.
  ///   - onWindow: called after each window with the windows done, the windows in all, and what was
  ///     found so far.
  /// - Returns: what was found.
  /// - Throws: ``ModelError/Code/request`` when the text is shorter than a window, the window is longer than the model's
  ///   context, or the reference cuts the text into other tokens.
  public func evaluate(
    _ text: String, options: Options, onWindow: (Int, Int, Evaluation) -> Void = { _, _, _ in }
  ) throws -> Evaluation {
    let start = ContinuousClock.now
    let tokens = model.tokenizer.encode(text)
    let windows = try windows(tokens, options)
    if let reference, reference.tokenizer.encode(text) != tokens {
      throw ModelError(
        .request, "the model and the reference cut the text into different tokens",
        file: reference.path)
    }
    func session(_ model: LanguageModel) -> InferenceSession {
      InferenceSession(
        model, contextCount: options.contextCount, pool: pool, cacheType: options.cacheType)
    }
    let modelSession = session(model)
    let referenceSession = reference.map(session)
    var scores: [RowScore] = []
    for (index, window) in windows.enumerated() {
      scores += try score(Array(tokens[window]), modelSession, referenceSession)
      onWindow(index + 1, windows.count, Evaluation(scores, hasReference: reference != nil))
    }
    var result = Evaluation(scores, hasReference: reference != nil)
    result.seconds = (ContinuousClock.now - start) / .seconds(1)
    return result
  }

  private func windows(_ tokens: [Int], _ options: Options) throws(ModelError) -> [Range<Int>] {
    let count = options.contextCount
    guard count >= 4 else { throw ModelError(.request, "a window needs at least 4 tokens") }
    for model in [model, reference].compactMap(\.self)
    where count > model.config.contextCount {
      throw ModelError(
        .request, "a window of \(count) tokens exceeds the context of \(model.config.contextCount)",
        file: model.path)
    }
    let possible = tokens.count / count
    guard possible > 0 else {
      throw ModelError(
        .request, "the text has \(tokens.count) tokens, less than one window of \(count)")
    }
    return (0..<min(possible, options.windowLimit ?? possible)).map {
      $0 * count..<($0 + 1) * count
    }
  }

  /// Scores the second half of one window.
  private func score(
    _ window: [Int], _ session: InferenceSession, _ referenceSession: InferenceSession?
  ) throws(ModelError) -> [RowScore] {
    session.truncate(to: 0)
    referenceSession?.truncate(to: 0)
    let hidden = try session.hidden(window)
    let referenceHidden = try referenceSession?.hidden(window)
    let scored = window.count / 2..<window.count - 1
    var scores: [RowScore] = []
    for first in stride(from: scored.lowerBound, to: scored.upperBound, by: rowLimit) {
      let rows = first..<min(first + rowLimit, scored.upperBound)
      let logits = session.logits(hidden, rows: rows)
      let referenceLogits = referenceSession.flatMap { session in
        referenceHidden.map { session.logits($0, rows: rows) }
      }
      scores += score(rows, targets: window, logits, referenceLogits)
    }
    return scores
  }

  private func score(
    _ rows: Range<Int>, targets: [Int], _ logits: Activations, _ referenceLogits: Activations?
  ) -> [RowScore] {
    [RowScore](unsafeUninitializedCapacity: rows.count) { buffer, count in
      pool.rows(rows.count) { part in
        for row in part {
          let target = targets[rows.lowerBound + row + 1]
          let score = logits.withRow(row) { logits in
            guard let referenceLogits else { return RowScore(logits, target: target) }
            return referenceLogits.withRow(row) {
              RowScore(logits, reference: $0, target: target)
            }
          }
          buffer.initializeElement(at: row, to: score)
        }
      }
      count = rows.count
    }
  }
}
