public import ArgumentParser
public import Nibble

extension QuantizationMix: ExpressibleByArgument {
  public init?(argument: String) { self.init(name: argument) }

  public static var allValueStrings: [String] {
    allCases.map(\.rawValue) + ["q3_k", "q4_k", "q5_k"]
  }
}

extension GGMLType: ExpressibleByArgument {
  /// Only types that can be written.
  public init?(argument: String) {
    guard let type = GGMLType(name: argument), Self.writable.contains(type) else { return nil }
    self = type
  }

  public static var allValueStrings: [String] { writable.map { $0.name.lowercased() } }

  private static var writable: [GGMLType] {
    QuantizationMix.allCases.map(\.baseType).reduce(into: []) { types, type in
      if !types.contains(type) { types.append(type) }
    }
  }
}

extension TypeSelection.Override: ExpressibleByArgument {
  public init?(argument: String) {
    guard let equals = argument.lastIndex(of: "="), equals > argument.startIndex,
      let type = GGMLType(argument: String(argument[argument.index(after: equals)...]))
    else { return nil }
    self.init(pattern: String(argument[..<equals]), type: type)
  }
}

extension ConvertJob.Format: ExpressibleByArgument {}
