public import ArgumentParser
public import Nibble

extension InstructionSet: ExpressibleByArgument {
  /// The names of some sets: "scalar, avx2".
  static func names(_ sets: [InstructionSet]) -> String {
    sets.map(\.rawValue).joined(separator: ", ")
  }
}

/// Numbers of tokens, written with commas: "1,32,512".
struct TokenCounts: ExpressibleByArgument {
  let counts: [Int]

  init?(argument: String) {
    var counts: [Int] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let count = Int(part), count > 0 else { return nil }
      counts.append(count)
    }
    self.counts = counts
  }
}
