internal import NibbleTensors

/// Which tokens go through which expert of a mixture, and with what weight.
struct ExpertRoutes {
  /// A token on its way through an expert.
  struct Step {
    var token: Int
    var weight: Float
  }

  /// For each expert, its tokens in order.
  private(set) var experts: [[Step]]

  /// - Parameters:
  ///   - scores: the router's scores, `[tokens, experts]`.
  ///   - usedCount: experts of each token, the best first; of equals, the one with the lower index.
  ///   - isNormalized: whether each token's weights are divided by their sum.
  init(_ scores: Activations, usedCount: Int, isNormalized: Bool) {
    let expertCount = scores.columnCount
    experts = [[Step]](repeating: [], count: expertCount)
    for token in 0..<scores.rowCount {
      let row = scores.row(token)
      VectorKernels.softmax(row, count: expertCount)
      let best = (0..<expertCount).sorted { (row[$1], $0) < (row[$0], $1) }.prefix(usedCount)
      let sum = isNormalized ? best.reduce(Float(0)) { $0 + row[$1] } : 1
      for expert in best {
        experts[expert].append(Step(token: token, weight: row[expert] / sum))
      }
    }
  }

  /// The ways that other scores chose, with the weights that these scores give them.
  ///
  /// - Parameters:
  ///   - scores: the router's scores, `[tokens, experts]`.
  ///   - leader: which experts each token goes through.
  ///   - isNormalized: whether each token's weights are divided by their sum.
  init(_ scores: Activations, following leader: ExpertRoutes, isNormalized: Bool) {
    var sums = [Float](repeating: 0, count: scores.rowCount)
    for token in 0..<scores.rowCount {
      VectorKernels.softmax(scores.row(token), count: scores.columnCount)
    }
    experts = leader.experts
    for (expert, route) in experts.enumerated() {
      for step in route { sums[step.token] += scores.row(step.token)[expert] }
    }
    for expert in experts.indices {
      for index in experts[expert].indices {
        let token = experts[expert][index].token
        let weight = scores.row(token)[expert]
        experts[expert][index].weight = isNormalized ? weight / sums[token] : weight
      }
    }
  }
}
