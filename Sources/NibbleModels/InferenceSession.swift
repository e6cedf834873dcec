public import NibbleTensors

/// One sequence of tokens being run through a model, with the keys and values of all positions so far.
///
/// A session belongs to one thread at a time.
public final class InferenceSession {
  /// Which rows of a run are turned into logits.
  public enum Outputs: Sendable {
    /// The last token only, as generation needs.
    case last
    /// The tokens at these offsets within the run.
    case rows(Range<Int>)
  }

  public let model: LanguageModel
  /// The tokens so far.
  public private(set) var tokens: [Int] = []
  /// Positions that fit.
  public var contextCount: Int { backend.cache.capacity }
  private let backend: CPUBackend
  /// Tokens that one pass takes at once; longer runs are cut.
  private let passCount = 512

  /// - Parameters:
  ///   - model: whose weights to use.
  ///   - contextCount: the positions to reserve; memory becomes resident as they are filled.
  ///   - pool: the threads that share the work. Results do not depend on their number.
  ///   - cacheType: the format of the keys and values that are kept.
  public init(
    _ model: LanguageModel, contextCount: Int, pool: WorkerPool, cacheType: CacheType = .float16
  ) {
    self.model = model
    backend = CPUBackend(
      model: model, contextCount: contextCount, pool: pool, cacheType: cacheType)
  }

  /// Forgets all positions from `count` on.
  public func truncate(to count: Int) {
    precondition(count >= 0 && count <= tokens.count)
    tokens.removeSubrange(count...)
    backend.cache.count = count
  }

  /// For each block with a mixture of experts, the tokens that each expert has seen.
  public var expertTokenCounts: [Int: [Int]] { backend.expertTokenCounts }

  /// Runs `newTokens` after the tokens so far.
  ///
  /// - Returns: logits `[outputs, vocabulary]`.
  /// - Throws: ``ModelError/Code/request`` when the context is full or a token is not in the vocabulary.
  public func run(_ newTokens: [Int], outputs: Outputs = .last) throws(ModelError) -> Activations {
    let hidden = try hidden(newTokens)
    switch outputs {
    case .last: return backend.logits(hidden, rows: hidden.rowCount - 1..<hidden.rowCount)
    case .rows(let rows): return backend.logits(hidden, rows: rows)
    }
  }

  /// Runs `newTokens` and returns the hidden states after the last norm, `[tokens, hidden]`.
  public func hidden(_ newTokens: [Int]) throws(ModelError) -> Activations {
    guard !newTokens.isEmpty else { throw ModelError(.request, "there are no tokens to run") }
    guard newTokens.count <= contextCount - tokens.count else {
      throw ModelError(
        .request,
        "the context of \(contextCount) tokens is full (\(tokens.count) used, \(newTokens.count) more)"
      )
    }
    guard model.config.rope != nil || tokens.count + newTokens.count <= model.config.contextCount
    else {
      throw ModelError(
        .request, "the model knows \(model.config.contextCount) positions; these are more")
    }
    if let stranger = newTokens.first(where: { !(0..<model.config.vocabularyCount).contains($0) }) {
      throw ModelError(.request, "the token \(stranger) is not in the vocabulary")
    }
    let parts = stride(from: 0, to: newTokens.count, by: passCount).map { start in
      let end = min(start + passCount, newTokens.count)
      return pass(Array(newTokens[start..<end]), laterCount: newTokens.count - end)
    }
    return parts.count == 1 ? parts[0] : backend.concatenate(parts)
  }

  /// Logits `[rows, vocabulary]` of hidden states that ``hidden(_:)`` returned.
  public func logits(_ hidden: Activations, rows: Range<Int>) -> Activations {
    backend.logits(hidden, rows: rows)
  }

  private func pass(_ newTokens: [Int], laterCount: Int) -> Activations {
    backend.begin(tokenCount: newTokens.count, laterCount: laterCount)
    let hidden = run(model.architecture, newTokens)
    backend.cache.count += newTokens.count
    tokens += newTokens
    return hidden
  }

  private func run(_ architecture: some Architecture, _ newTokens: [Int]) -> Activations {
    architecture.hidden(newTokens, on: backend)
  }
}
