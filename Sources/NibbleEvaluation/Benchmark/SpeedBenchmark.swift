public import NibbleModels
public import NibbleTensors

/// Times prompt processing and generation of one model, or of several in turn.
///
/// Each run begins with an empty context. Models alternate within a repetition, so that a machine that slows down slows all of
/// them; one repetition warms up and does not count.
public struct SpeedBenchmark {
  /// What is run.
  public struct Options: Sendable, Equatable {
    /// The lengths of the prompts, in tokens.
    public var promptCounts = [512]
    /// Tokens that are generated.
    public var generateCount = 64
    /// Tokens in the context when generation begins; nil leaves the last prompt there.
    public var depth: Int?
    /// Repetitions that count.
    public var repetitionCount = 5
    /// The format of the keys and values.
    public var cacheType = CacheType.float16

    public init() {}

    /// Tokens of one model in one repetition.
    public var tokenCount: Int { promptCounts.reduce(0, +) + (depth ?? 0) + generateCount }

    /// Positions that a context needs.
    var contextCount: Int {
      let start = depth ?? promptCounts.last ?? 0
      return max(promptCounts.max() ?? 0, start + generateCount)
    }
  }

  /// What one model did, in tokens a second, repetition by repetition.
  public struct Rates: Sendable, Equatable {
    /// One series for each length of ``Options/promptCounts``.
    public fileprivate(set) var prompts: [[Double]]
    public fileprivate(set) var generation: [Double] = []
  }

  private let options: Options
  private let pool: WorkerPool

  public init(_ options: Options, pool: WorkerPool) {
    self.options = options
    self.pool = pool
  }

  /// Times the models.
  ///
  /// - Parameters:
  ///   - models: at least one.
  ///   - onProgress: called with the tokens run so far and those of all repetitions.
  /// - Returns: one result a model.
  /// - Throws: ``ModelError/Code/request`` when a model knows fewer positions.
  public func run(
    _ models: [LanguageModel], onProgress: (Int, Int) -> Void = { _, _ in }
  ) throws(ModelError) -> [Rates] {
    let empty = Rates(prompts: [[Double]](repeating: [], count: options.promptCounts.count))
    var results = [Rates](repeating: empty, count: models.count)
    let sessions = models.map(session)
    let total = (options.repetitionCount + 1) * models.count * options.tokenCount
    var completed = 0
    for repetition in 0...options.repetitionCount {
      for (index, session) in sessions.enumerated() {
        for (place, count) in options.promptCounts.enumerated() {
          let rate = try prompt(count, session)
          if repetition > 0 { results[index].prompts[place].append(rate) }
        }
        try fill(session)
        let rate = try generate(session)
        if repetition > 0 { results[index].generation.append(rate) }
        completed += options.tokenCount
        onProgress(completed, total)
      }
    }
    return results
  }

  /// Where the time of the last prompt and of generation goes: one run that warms up, then one that is profiled. Here tokens
  /// are also chosen, the likeliest each time, though the same ones are run as elsewhere.
  ///
  /// - Throws: ``ModelError/Code/request`` when the model knows fewer positions.
  public func profile(
    _ model: LanguageModel
  ) throws(ModelError) -> (prompt: OperationProfile, generation: OperationProfile) {
    let session = session(model)
    let count = options.promptCounts.last ?? 1
    _ = try prompt(count, session)
    session.startProfile()
    session.truncate(to: 0)
    _ = try session.run(tokens(count, session))
    let promptProfile = session.finishProfile()
    try fill(session)
    var sampler = try Sampler(SamplingOptions())
    var sampling: [Double] = []
    session.startProfile()
    for token in tokens(options.generateCount, session) {
      let logits = try session.run([token])
      let start = ContinuousClock.now
      _ = logits.withRow(0) { sampler.next($0, history: []) }
      sampling.append((ContinuousClock.now - start) / .seconds(1))
    }
    var generation = session.finishProfile()
    let byteCount = Double(4 * model.config.vocabularyCount)
    for seconds in sampling { generation.add(.sampling, seconds: seconds, bytes: byteCount) }
    return (promptProfile, generation)
  }

  private func session(_ model: LanguageModel) -> InferenceSession {
    InferenceSession(
      model, contextCount: options.contextCount, pool: pool, cacheType: options.cacheType)
  }

  /// Tokens of a vocabulary, the same for every run.
  private func tokens(_ count: Int, _ session: InferenceSession) -> [Int] {
    (0..<count).map { (100 + $0 % 500) % session.model.config.vocabularyCount }
  }

  /// Tokens a second of a prompt in an empty context.
  private func prompt(_ count: Int, _ session: InferenceSession) throws(ModelError) -> Double {
    let tokens = tokens(count, session)
    session.truncate(to: 0)
    let start = ContinuousClock.now
    _ = try session.run(tokens)
    return rate(count, since: start)
  }

  /// Brings the context to the depth at which generation begins.
  private func fill(_ session: InferenceSession) throws(ModelError) {
    guard let depth = options.depth else { return }
    session.truncate(to: 0)
    if depth > 0 { _ = try session.hidden(tokens(depth, session)) }
  }

  /// Tokens a second of generation where the context stands.
  private func generate(_ session: InferenceSession) throws(ModelError) -> Double {
    let tokens = tokens(options.generateCount, session)
    let start = ContinuousClock.now
    for token in tokens { _ = try session.run([token]) }
    return rate(tokens.count, since: start)
  }

  private func rate(_ count: Int, since start: ContinuousClock.Instant) -> Double {
    Double(count) / max((ContinuousClock.now - start) / .seconds(1), 1e-9)
  }
}
