/// Σ(w − ŵ)² and Σw² over some weights.
package struct SquaredDifference: Sendable {
  package private(set) var difference = 0.0
  package private(set) var energy = 0.0

  package init() {}

  /// Sums over `[count]` weights and their approximations, in eight lanes and blocks of 1024.
  package init(
    _ weights: UnsafeMutableBufferPointer<Float>,
    _ approximations: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(weights.count == approximations.count)
    var first = 0
    while first < weights.count {
      let end = min(first + 1024, weights.count)
      var differences = SIMD8<Float>.zero
      var energies = SIMD8<Float>.zero
      var index = first
      while index + 8 <= end {
        for lane in 0..<8 {
          let weight = weights[index + lane]
          let gap = weight - approximations[index + lane]
          differences[lane] += gap * gap
          energies[lane] += weight * weight
        }
        index += 8
      }
      difference += Double(differences.sum())
      energy += Double(energies.sum())
      for rest in index..<end {
        let gap = Double(weights[rest]) - Double(approximations[rest])
        difference += gap * gap
        energy += Double(weights[rest]) * Double(weights[rest])
      }
      first = end
    }
  }

  package mutating func add(_ other: SquaredDifference) {
    difference += other.difference
    energy += other.energy
  }

  /// ‖W − Ŵ‖² / ‖W‖²: 0 for an exact copy, infinite where zeros became something else.
  package var relativeError: Double {
    if energy > 0 { return difference / energy }
    return difference > 0 ? .infinity : 0
  }
}
