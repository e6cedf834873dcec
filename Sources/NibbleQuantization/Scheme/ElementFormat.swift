/// The levels that one code can stand for, before scale and offset.
///
/// A code is the index of its level, ascending from 0, in every format: signed integers are stored with half their
/// range added.
public enum ElementFormat: Hashable, Codable, Sendable {
  /// The integers -2^(bits-1) ... 2^(bits-1) - 1.
  case int(bits: Int)
  /// The integers 0 ... 2^bits - 1.
  case uint(bits: Int)
  /// A table of levels.
  case codebook(Codebook)
  /// 2^bits levels that were learned from the weights; they are stored where other schemes have a scale.
  case learned(bits: Int)

  /// Bits that a code needs.
  public var bitCount: Int {
    switch self {
    case .int(let bits), .uint(let bits), .learned(let bits): bits
    case .codebook(let book):
      (book.levels.count - 1).bitWidth - (book.levels.count - 1).leadingZeroBitCount
    }
  }

  /// All levels, indexed by code; empty for learned levels, which are part of a tensor.
  public var levels: [Float] {
    switch self {
    case .int(let bits): (0..<(1 << bits)).map { Float($0 - (1 << (bits - 1))) }
    case .uint(let bits): (0..<(1 << bits)).map { Float($0) }
    case .codebook(let book): book.levels
    case .learned: []
    }
  }
}
