internal import Foundation

/// The rotary position embedding (Su et al. 2021, arXiv:2104.09864) of a model.
public struct RopeConfig: Sendable, Equatable {
  /// Which two features of a head turn together.
  public enum Pairing: Sendable, Equatable {
    /// Features `2i` and `2i + 1`: GGUF files of the llama architecture.
    case interleaved
    /// Features `i` and `i + featureCount / 2`: Hugging Face checkpoints.
    case halves
  }

  /// How the frequencies are stretched for contexts longer than the trained one.
  public enum Scaling: Sendable, Equatable {
    case none
    /// Positions divided by `factor` (Chen et al. 2023, arXiv:2306.15595).
    case linear(factor: Float)
    /// Llama 3.1's: long wavelengths divided by `factor`, short ones kept, a smooth passage between.
    case llama3(factor: Float, lowFactor: Float, highFactor: Float, originalContext: Float)
    /// Divisors given one by one, as a GGUF file's `rope_freqs.weight` holds them.
    case divisors([Float])
  }

  /// θ of the frequencies θ^(-2i/d).
  public var base: Float
  /// Features of a head that turn; the rest pass.
  public var featureCount: Int
  public var pairing: Pairing
  public var scaling: Scaling

  public init(base: Float, featureCount: Int, pairing: Pairing, scaling: Scaling = .none) {
    self.base = base
    self.featureCount = featureCount
    self.pairing = pairing
    self.scaling = scaling
  }

  /// Radians per position for each pair, `[featureCount / 2]`.
  public var frequencies: [Float] {
    let unscaled = (0..<featureCount / 2).map {
      1 / pow(base, Float(2 * $0) / Float(featureCount))
    }
    switch scaling {
    case .none: return unscaled
    case .linear(let factor): return unscaled.map { $0 / factor }
    case .llama3, .divisors: return zip(unscaled, divisors ?? []).map { $0 / $1 }
    }
  }

  /// What each frequency is divided by, `[featureCount / 2]`: the contents of `rope_freqs.weight`.
  /// Nil when a file says it without a tensor.
  public var divisors: [Float]? {
    switch scaling {
    case .none, .linear: return nil
    case .divisors(let values): return values
    case .llama3(let factor, let lowFactor, let highFactor, let originalContext):
      return (0..<featureCount / 2).map { index in
        let frequency = 1 / pow(base, Float(2 * index) / Float(featureCount))
        let wavelength = 2 * Float.pi / frequency
        if wavelength < originalContext / highFactor { return 1 }
        if wavelength > originalContext / lowFactor { return factor }
        let smooth = (originalContext / wavelength - lowFactor) / (highFactor - lowFactor)
        return 1 / ((1 - smooth) / factor + smooth)
      }
    }
  }
}
