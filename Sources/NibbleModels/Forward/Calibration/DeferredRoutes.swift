/// The ways of all tokens through a mixture's experts, found batch by batch and remembered.
final class DeferredRoutes {
  /// A stream's scores, `[tokens, experts]`, and the scores that choose its experts where these are not its own.
  struct Stream {
    let scores: DeferredValue
    let follows: DeferredValue?
  }

  private let usedCount: Int
  private let isNormalized: Bool
  private var known: [ObjectIdentifier: [Int: ExpertRoutes]] = [:]
  /// For each expert, the tokens that went through it in the stream that chose.
  private(set) var tokenCounts: [Int] = []

  init(count: Int, _ isNormalized: Bool) {
    usedCount = count
    self.isNormalized = isNormalized
  }

  /// The routes of the run's batch.
  func routes(_ stream: Stream, _ run: BatchRun) throws -> ExpertRoutes {
    let key = ObjectIdentifier(stream.scores.step)
    if let routes = known[key]?[run.batch] { return routes }
    let scores = run.cpu.copy(try run.value(stream.scores))
    let made: ExpertRoutes
    if let follows = stream.follows {
      let leader = try routes(Stream(scores: follows, follows: nil), run)
      made = ExpertRoutes(scores, following: leader, isNormalized: isNormalized)
    } else {
      made = ExpertRoutes(scores, usedCount: usedCount, isNormalized: isNormalized)
      if tokenCounts.isEmpty { tokenCounts = made.experts.map { _ in 0 } }
      for (index, route) in made.experts.enumerated() { tokenCounts[index] += route.count }
    }
    known[key, default: [:]][run.batch] = made
    return made
  }
}
