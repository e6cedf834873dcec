internal import NibbleModels
internal import NibbleQuantization

extension InputStatistics {
  /// What the inputs look like in the scaled model, whose layers' columns are multiplied and whose inputs are divided.
  func scaled(by scaling: ChannelScaling) -> InputStatistics {
    guard let scales = scaling[stage.layers[0]]?.columns else { return self }
    let count = columnCount
    func products(_ moments: [Float]) -> [Float] {
      var scaled = moments
      for row in 0..<count {
        for column in 0..<count { scaled[row * count + column] /= scales[row] * scales[column] }
      }
      return scaled
    }
    var result = self
    for (column, scale) in scales.enumerated() {
      result.squareSums[column] /= Double(scale) * Double(scale)
      result.meanMagnitudes?[column] /= Double(scale)
      result.largestMagnitudes?[column] /= scale
    }
    result.hessian = hessian.map(products)
    switch change {
    case .inputs(let first, let second):
      result.change = .inputs(products(first), products(second))
    case .outputs(let first, let second):
      func columns(_ half: [Float]) -> [Float] {
        half.indices.map { half[$0] / scales[$0 % count] }
      }
      result.change = .outputs(columns(first), columns(second))
    case nil: break
    }
    return result
  }
}
