internal import Foundation

/// How far approximate weights are from the original ones, over one tensor or several.
///
/// Sums are over the pairs in which both numbers are finite. `w` is the original, `ŵ` the approximation.
public struct Distortion: Sendable, Equatable {
  /// Pairs of finite numbers.
  public private(set) var count = 0
  /// Pairs in which either is NaN or infinite.
  public private(set) var nonFiniteCount = 0
  /// max |w − ŵ|.
  public private(set) var largestError = 0.0
  /// Σw.
  private var sum = 0.0
  /// Σw².
  private var energy = 0.0
  /// Σŵ².
  private var approximateEnergy = 0.0
  /// Σwŵ.
  private var product = 0.0
  /// Σ(w − ŵ)².
  private var squaredError = 0.0
  /// Bits of all approximations together.
  private var bitCount = 0.0
  /// Σ over tensors of count · variance · 2^(−2 · bits): the least squared error that these bits allow.
  private var boundError = 0.0

  init() {}

  /// Compares finite values, in Double throughout.
  init(_ weights: UnsafeBufferPointer<Float>, _ approximations: UnsafeBufferPointer<Float>) {
    precondition(weights.count == approximations.count)
    count = weights.count
    // Four sums at a time hide the latency of additions; their order is fixed.
    let whole = count / 4 * 4
    var (sums, energies, others) = (SIMD4<Double>.zero, SIMD4<Double>.zero, SIMD4<Double>.zero)
    var (products, errors) = (SIMD4<Double>.zero, SIMD4<Double>.zero)
    var largest = 0.0
    func four(_ values: UnsafeBufferPointer<Float>, _ index: Int) -> SIMD4<Double> {
      SIMD4(
        Double(values[index]), Double(values[index + 1]), Double(values[index + 2]),
        Double(values[index + 3]))
    }
    for index in stride(from: 0, to: whole, by: 4) {
      let (w, v) = (four(weights, index), four(approximations, index))
      let gap = w - v
      let square = gap * gap
      sums += w
      energies += w * w
      others += v * v
      products += w * v
      errors += square
      let top = square.max()
      largest = top > largest ? top : largest
    }
    (sum, energy, approximateEnergy) = (sums.sum(), energies.sum(), others.sum())
    (product, squaredError) = (products.sum(), errors.sum())
    for index in whole..<count {
      let (w, v) = (Double(weights[index]), Double(approximations[index]))
      let square = (w - v) * (w - v)
      sum += w
      energy += w * w
      approximateEnergy += v * v
      product += w * v
      squaredError += square
      largest = max(largest, square)
    }
    largestError = largest.squareRoot()
  }

  /// Adds what was found for other weights.
  mutating func add(_ other: Distortion) {
    count += other.count
    nonFiniteCount += other.nonFiniteCount
    largestError = max(largestError, other.largestError)
    sum += other.sum
    energy += other.energy
    approximateEnergy += other.approximateEnergy
    product += other.product
    squaredError += other.squaredError
    bitCount += other.bitCount
    boundError += other.boundError
  }

  mutating func addNonFinite(_ count: Int) { nonFiniteCount += count }

  /// Says how many bits each approximation of this one tensor takes, and takes its bound at that rate.
  mutating func setRate(bitsPerWeight: Double) {
    bitCount = Double(count) * bitsPerWeight
    boundError = Double(count) * RateDistortion.bound(variance: variance, bits: bitsPerWeight)
  }

  /// The mean of (w − mean w)², of one tensor.
  var variance: Double {
    guard count > 0 else { return 0 }
    let mean = sum / Double(count)
    return max(0, energy / Double(count) - mean * mean)
  }

  /// ‖W − Ŵ‖² / ‖W‖²: 0 for an exact copy, infinite where zeros became something else.
  public var relativeError: Double {
    if energy > 0 { return squaredError / energy }
    return squaredError > 0 ? .infinity : 0
  }

  /// The signal to quantization noise ratio 10 log₁₀(‖W‖² / ‖W − Ŵ‖²), in dB; nil for an exact copy.
  public var signalToNoise: Double? {
    guard squaredError > 0 else { return nil }
    return energy > 0 ? 10 * log10(energy / squaredError) : -.infinity
  }

  /// ⟨W, Ŵ⟩ / (‖W‖ ‖Ŵ‖); 1 for an exact copy, nil where either side is all zeros.
  public var cosine: Double? {
    if squaredError == 0 { return energy > 0 ? 1 : nil }
    guard energy > 0, approximateEnergy > 0 else { return nil }
    return product / (energy * approximateEnergy).squareRoot()
  }

  /// Bits that an approximation takes on average, scales included.
  public var bitsPerWeight: Double { count > 0 ? bitCount / Double(count) : 0 }

  /// How far the squared error is above ``RateDistortion/bound(variance:bits:)``, in dB, each tensor's bound taken at
  /// its own variance and bits; nil for an exact copy, and where the weights do not vary.
  public var boundDistance: Double? {
    guard squaredError > 0, boundError > 1e-12 * energy * exp2(-2 * bitsPerWeight) else {
      return nil
    }
    return 10 * log10(squaredError / boundError)
  }
}

/// The rate-distortion function of a Gaussian source.
public enum RateDistortion {
  /// The least error with which weights of a Gaussian can be stored: D(R) = σ² · 2^(−2R), 6.02 dB a bit (Cover and Thomas,
  /// Elements of Information Theory, §10.3.2).
  ///
  /// - Parameters:
  ///   - variance: σ².
  ///   - bits: R, in bits a weight.
  /// - Returns: the mean squared error.
  public static func bound(variance: Double, bits: Double) -> Double { variance * exp2(-2 * bits) }
}
