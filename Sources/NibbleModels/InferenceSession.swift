internal import NibbleQuantization
public import NibbleTensors

/// One sequence of tokens being run through a model, with the keys and values of all positions so far.
///
/// A session belongs to one thread at a time, and so do all that came from one by ``fork(keeping:contextCount:)``, since
/// they share what a pass works with.
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
  public var contextCount: Int { cache.capacity }
  /// Bytes reserved for keys and values; they become resident as positions are filled.
  public var cacheByteCount: Int { cache.byteCount(model.config) }
  /// Bytes that passes have needed for activations.
  package var activationByteCount: Int { backend.memory.byteCount }
  let backend: CPUBackend
  let cache: KeyValueCache
  /// What times the operations, while a profile is being taken.
  private var recorder: ProfileRecorder?
  /// Tokens that one pass takes at once; longer runs are cut at multiples of this position.
  private static let passCount = 512

  /// - Parameters:
  ///   - model: whose weights to use.
  ///   - contextCount: the positions to reserve; memory becomes resident as they are filled.
  ///   - pool: the threads that share the work. Results do not depend on their number.
  ///   - cacheType: the format of the keys and values that are kept.
  public convenience init(
    _ model: LanguageModel, contextCount: Int, pool: WorkerPool, cacheType: CacheType = .float16
  ) {
    let backend = CPUBackend(
      model: model, contextCount: contextCount, pool: pool, cacheType: cacheType)
    self.init(model, backend, backend.cache)
  }

  private init(_ model: LanguageModel, _ backend: CPUBackend, _ cache: KeyValueCache) {
    self.model = model
    self.backend = backend
    self.cache = cache
  }

  /// A session that begins with the first tokens of this one, whose keys and values it copies, and goes its own way.
  ///
  /// - Parameters:
  ///   - count: tokens to begin with.
  ///   - contextCount: the positions to reserve, at least `count`.
  /// - Returns: the session. It has the format of keys and values and the threads of this one.
  public func fork(keeping count: Int, contextCount: Int) -> InferenceSession {
    precondition(count >= 0 && count <= tokens.count && count <= contextCount)
    let copy = KeyValueCache(config: model.config, capacity: contextCount, type: cache.type)
    copy.takeOver(count, of: cache, model.config)
    let session = InferenceSession(model, backend, copy)
    session.tokens = Array(tokens.prefix(count))
    return session
  }

  /// Forgets all positions from `count` on.
  public func truncate(to count: Int) {
    precondition(count >= 0 && count <= tokens.count)
    tokens.removeSubrange(count...)
    cache.count = count
  }

  /// For each block with a mixture of experts, the tokens that each expert has seen, in this session and all that share
  /// its passes; tokens that were guessed and given up count too.
  public var expertTokenCounts: [Int: [Int]] { backend.expertTokenCounts }

  /// Runs `newTokens` after the tokens so far.
  ///
  /// - Returns: logits `[outputs, vocabulary]`.
  /// - Throws: ``ModelError/Code/request`` when the context is full or a token is not in the vocabulary.
  public func run(_ newTokens: [Int], outputs: Outputs = .last) throws(ModelError) -> Activations {
    let hidden = try hidden(newTokens)
    switch outputs {
    case .last: return logits(hidden, rows: hidden.rowCount - 1..<hidden.rowCount)
    case .rows(let rows): return logits(hidden, rows: rows)
    }
  }

  /// Runs `newTokens` and returns the hidden states after the last norm, `[tokens, hidden]`.
  public func hidden(_ newTokens: [Int]) throws(ModelError) -> Activations {
    try check(newTokens)
    var parts: [Activations] = []
    var start = 0
    while start < newTokens.count {
      // The cuts stay where they are when the first tokens were run before.
      let end = min(start + Self.passCount - tokens.count % Self.passCount, newTokens.count)
      parts.append(pass(Array(newTokens[start..<end]), laterCount: newTokens.count - end))
      start = end
    }
    return parts.count == 1 ? parts[0] : backend.concatenate(parts)
  }

  /// Logits `[rows, vocabulary]` of hidden states that ``hidden(_:)`` returned.
  public func logits(_ hidden: Activations, rows: Range<Int>) -> Activations {
    guard let recorder else { return backend.logits(hidden, rows: rows) }
    return ProfiledBackend(backend, model, recorder).logits(hidden, rows: rows)
  }

  /// Counts a token whose keys and values a pass has left behind those so far.
  package func accept(_ token: Int) {
    precondition(cache.count < cache.capacity)
    tokens.append(token)
    cache.count += 1
  }

  /// How many of the first `count` tokens of a run from position 0 leave the same bits when the rest of the run is
  /// another: attention takes whole tiles of tokens, counted from the start of each pass.
  func sharedCount(_ count: Int) -> Int {
    let start = count / Self.passCount * Self.passCount
    let tileCount = Attention.tileTokenCount(model.config)
    return start + (count - start) / tileCount * tileCount
  }

  /// Checks that tokens can be run after those so far.
  func check(_ newTokens: [Int]) throws(ModelError) {
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
  }

  /// Times each operation from now on, until ``finishProfile()``.
  public func startProfile() {
    backend.scratch.isTimed = true
    recorder = ProfileRecorder()
  }

  /// Ends what ``startProfile()`` began.
  ///
  /// - Returns: where the time went; nothing where no profile was begun.
  public func finishProfile() -> OperationProfile {
    defer {
      backend.scratch.isTimed = false
      recorder = nil
    }
    return recorder?.finish() ?? OperationProfile()
  }

  private func pass(_ newTokens: [Int], laterCount: Int) -> Activations {
    backend.begin(cache, tokenCount: newTokens.count, laterCount: laterCount)
    let hidden = run(model.architecture, newTokens)
    cache.count += newTokens.count
    tokens += newTokens
    return hidden
  }

  /// The hidden states of tokens for which the backend is prepared.
  func run(_ architecture: some Architecture, _ newTokens: [Int]) -> Activations {
    guard let recorder else { return architecture.hidden(newTokens, on: backend) }
    return architecture.hidden(newTokens, on: ProfiledBackend(backend, model, recorder))
  }
}
