internal import NibbleTensors

extension CPUBackend {
  /// A copy of `x` that may be changed.
  func copy(_ x: Activations) -> Activations {
    let y = memory.matrix(x.rowCount, x.columnCount)
    y.pointer.update(from: x.pointer, count: x.rowCount * x.columnCount)
    return y
  }

  /// The rows of the tokens that go through one expert, in their order.
  func gather(_ x: Activations, _ route: [ExpertRoutes.Step]) -> Activations {
    let taken = memory.matrix(route.count, x.columnCount)
    for (row, step) in route.enumerated() {
      taken.row(row).update(from: x.row(step.token), count: x.columnCount)
    }
    return taken
  }

  /// Σ weight · result over the experts of each token, the experts in order.
  ///
  /// - Parameters:
  ///   - experts: for each expert its tokens.
  ///   - x: has the shape of the result.
  ///   - result: what an expert gave for its tokens; asked for where there are any.
  /// - Returns: `[tokens, hidden]`.
  func combine(
    _ experts: [[ExpertRoutes.Step]], like x: Activations, _ result: (Int) throws -> Activations
  ) rethrows -> Activations {
    let y = memory.matrix(x.rowCount, x.columnCount)
    y.pointer.update(repeating: 0, count: y.rowCount * y.columnCount)
    for (index, route) in experts.enumerated() where !route.isEmpty {
      let result = try result(index)
      for (row, step) in route.enumerated() {
        VectorKernels.addProduct(
          step.weight, result.row(row), count: y.columnCount, to: y.row(step.token))
      }
    }
    return y
  }
}
