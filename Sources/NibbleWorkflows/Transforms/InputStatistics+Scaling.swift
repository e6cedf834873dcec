internal import NibbleModels

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
    result.cross = cross.map(products)
    result.target = target.map { target in
      target.indices.map { target[$0] / scales[$0 % count] }
    }
    return result
  }
}
