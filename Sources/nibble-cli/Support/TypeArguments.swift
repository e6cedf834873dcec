public import ArgumentParser
public import Nibble

extension TypeSelection.Base: ExpressibleByArgument {
  /// A mix by its name, else a scheme.
  public init?(argument: String) {
    if let mix = QuantizationMix(name: argument) {
      self = .mix(mix)
    } else if let scheme = Scheme(name: argument) {
      self = .scheme(scheme)
    } else {
      return nil
    }
  }

  public static var allValueStrings: [String] {
    QuantizationMix.allCases.map(\.rawValue) + ["q3_k", "q4_k", "q5_k"] + exampleSchemes
  }
}

private let exampleSchemes = [
  "int8-row-sym", "int4-g128-asym", "nf4-g64", "fp4-g64", "mxfp4", "kmeans4-row",
]

extension StoredType: ExpressibleByArgument {
  /// A type of GGUF files that can be written, else a scheme.
  public init?(argument: String) {
    if let type = GGMLType(name: argument) {
      guard Self.writable.contains(type) else { return nil }
      self.init(type)
    } else if let scheme = Scheme(name: argument) {
      self = .scheme(scheme)
    } else {
      return nil
    }
  }

  public static var allValueStrings: [String] {
    writable.map { $0.name.lowercased() } + exampleSchemes.filter { GGMLType(name: $0) == nil }
  }

  private static var writable: [GGMLType] { GGMLType.allCases.filter(BlockCodec.canEncode) }
}

extension TypeSelection.Override: ExpressibleByArgument {
  public init?(argument: String) {
    guard let equals = argument.lastIndex(of: "="), equals > argument.startIndex,
      let type = StoredType(argument: String(argument[argument.index(after: equals)...]))
    else { return nil }
    self.init(pattern: String(argument[..<equals]), type: type)
  }
}

/// A range estimator by its name.
struct RangeArgument: ExpressibleByArgument {
  let estimator: any RangeEstimator

  init?(argument: String) {
    guard let estimator = RangeRegistry.find(argument) else { return nil }
    self.estimator = estimator
  }

  static var allValueStrings: [String] { RangeRegistry.names }
}

extension OutputFormat: ExpressibleByArgument {}
extension ModelTransform: ExpressibleByArgument {}
