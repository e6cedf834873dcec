extension InferenceSession {
  /// The tokens of one sequence in a pass that others may share.
  package struct Step {
    package let session: InferenceSession
    /// The token that comes next, then guesses of those after it.
    package let tokens: [Int]

    package init(session: InferenceSession, tokens: [Int]) {
      self.session = session
      self.tokens = tokens
    }
  }

  /// The logits after the tokens of a step.
  package struct StepLogits {
    /// `[rows, vocabulary]`, of all steps of the pass.
    package let values: Activations
    /// The row after the step's first token; those after its guesses follow.
    package let firstRow: Int
  }

  /// Runs the next token of several sessions in one pass, so that weights are read once for all of them, and with each
  /// token guesses of what follows it.
  ///
  /// The logits have the bits that ``run(_:outputs:)`` gives token by token. The matrix products give the same bits for any
  /// number of rows, and here each row attends by itself. Lengths between which rotary embeddings change take a pass each.
  /// The first token of each step is then part of its session; guesses are after ``accept(_:)``, one after the other, and
  /// are forgotten when something else is run.
  ///
  /// - Parameter steps: at least one token for each session; the sessions are different and come from one by
  ///   ``fork(keeping:contextCount:)``. Guesses are no more than ``guessCount(_:)`` allows.
  /// - Returns: for each step its logits.
  /// - Throws: ``ModelError/Code/request`` when a context is full or a token is not in the vocabulary; nothing is run then.
  package static func run(_ steps: [Step]) throws(ModelError) -> [StepLogits] {
    precondition(Set(steps.map { ObjectIdentifier($0.session) }).count == steps.count)
    for step in steps { try step.session.check(step.tokens) }
    var passes: [(variants: [Int], steps: [Int])] = []
    for (index, step) in steps.enumerated() {
      let session = step.session
      let variants = session.model.config.ropeVariants(sequenceCount: session.tokens.count + 1)
      if let pass = passes.firstIndex(where: { $0.variants == variants }) {
        passes[pass].steps.append(index)
      } else {
        passes.append((variants: variants, steps: [index]))
      }
    }
    var results = [StepLogits?](repeating: nil, count: steps.count)
    for pass in passes {
      let values = logits(pass.steps.map { steps[$0] })
      var row = 0
      for index in pass.steps {
        results[index] = StepLogits(values: values, firstRow: row)
        row += steps[index].tokens.count
      }
    }
    return results.compactMap(\.self)
  }

  /// How many guesses a step may hold beside the next token: they have to fit, and their rotary embeddings must be the
  /// next token's.
  package func guessCount(_ wanted: Int) -> Int {
    let config = model.config
    let room = config.rope == nil ? min(contextCount, config.contextCount) : contextCount
    let most = min(wanted, room - tokens.count - 1)
    let variants = config.ropeVariants(sequenceCount: tokens.count + 1)
    var count = 0
    while count < most,
      config.ropeVariants(sequenceCount: tokens.count + count + 2) == variants
    { count += 1 }
    return count
  }

  private static func logits(_ steps: [Step]) -> Activations {
    let first = steps[0].session
    var places: [RowPlace] = []
    var tokens: [Int] = []
    for step in steps {
      precondition(step.session.backend === first.backend)
      for (offset, token) in step.tokens.enumerated() {
        places.append(
          RowPlace(
            cache: step.session.cache, position: step.session.tokens.count + offset))
        tokens.append(token)
      }
    }
    first.backend.begin(places)
    let hidden = first.run(first.model.architecture, tokens)
    for step in steps { step.session.accept(step.tokens[0]) }
    return first.backend.logits(hidden, rows: 0..<hidden.rowCount)
  }
}
