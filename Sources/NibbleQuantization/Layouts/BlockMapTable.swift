extension BlockMap {
  /// The map of a block type that GGUF files store weights in; nil for floats, integers, and types without a map.
  public init?(_ type: GGMLType) {
    let half = Self.half
    let nibbles = Self.nibbles(name: "qs", blockOf: 32, count: 16)
    switch type {
    case .q4_0: self.init(type, "(q - 8) * d", [half("d", .scale), nibbles])
    case .q4_1: self.init(type, "q * d + m", [half("d", .scale), half("m", .offset), nibbles])
    case .q5_0: self.init(type, "(q - 16) * d", [half("d", .scale), Self.fifths, nibbles])
    case .q5_1:
      self.init(
        type, "q * d + m", [half("d", .scale), half("m", .offset), Self.fifths, nibbles])
    case .q8_0:
      self.init(
        type, "q * d", signed: .codes,
        [half("d", .scale), Self.bytes("qs", 32) { [(8, .code($0), 0)] }])
    case .q2_k:
      let scales = Self.bytes("scales", 16) { [(4, .subScale($0), 0), (4, .subOffset($0), 0)] }
      self.init(
        type, "(d * sc) * q - dmin * mn",
        [scales, Self.pairs, half("d", .scale), half("dmin", .offset)])
    case .q3_k:
      self.init(
        type, "(d * (sc - 32)) * (q - 4)",
        [Self.thirds, Self.pairs, Self.scalesOfQ3K, half("d", .scale)])
    case .q4_k:
      self.init(
        type, "(d * sc) * q - dmin * mn",
        [
          half("d", .scale), half("dmin", .offset), Self.scalesOfQ4K,
          Self.nibbles(name: "qs", blockOf: 64, count: 128),
        ])
    case .q5_k:
      let fifths = Self.bytes("qh", 32) { byte in
        (0..<8).map { (1, .code(32 * $0 + byte), 4) }
      }
      self.init(
        type, "(d * sc) * q - dmin * mn",
        [
          half("d", .scale), half("dmin", .offset), Self.scalesOfQ4K, fifths,
          Self.nibbles(name: "qs", blockOf: 64, count: 128),
        ])
    case .q6_k:
      let upper = Self.bytes("qh", 64) { byte in
        (0..<4).map { (2, .code(128 * (byte / 32) + 32 * $0 + byte % 32), 4) }
      }
      self.init(
        type, "(d * sc) * (q - 32)", signed: .subScales,
        [
          Self.nibbles(name: "ql", blockOf: 128, count: 128), upper,
          Self.bytes("scales", 16) { [(8, .subScale($0), 0)] }, half("d", .scale),
        ])
    case .iq4_nl: self.init(type, "d * T[q]", [half("d", .scale), nibbles])
    case .iq4_xs:
      let upper = Self.bytes("scales_h", 2) { byte in
        (0..<4).map { (2, .subScale(4 * byte + $0), 4) }
      }
      let lower = Self.bytes("scales_l", 4) {
        [(4, .subScale(2 * $0), 0), (4, .subScale(2 * $0 + 1), 0)]
      }
      self.init(
        type, "(d * (sc - 32)) * T[q]",
        [
          half("d", .scale), upper, lower, Self.nibbles(name: "qs", blockOf: 32, count: 128),
        ])
    case .mxfp4:
      let exponent = Self.bytes("e", 1) { _ in [(8, .scale, 0)] }
      self.init(type, "2^(e - 127) * E2M1[q]", [exponent, nibbles])
    default: return nil
    }
  }

  /// A half-precision number.
  private static func half(_ name: String, _ target: Target) -> Field {
    Field(name: name, bytes: 0..<2, runs: [Run(bits: 0..<16, target: target, targetBit: 0)])
  }

  /// A field of `count` bytes; `parts` gives those of one byte, lowest bits first: bits, number, lowest of its bits.
  private static func bytes(
    _ name: String, _ count: Int, _ parts: (Int) -> [(Int, Target, Int)]
  ) -> Field {
    var runs: [Run] = []
    for byte in 0..<count {
      var place = 8 * byte
      for (bitCount, target, targetBit) in parts(byte) {
        runs.append(Run(bits: place..<place + bitCount, target: target, targetBit: targetBit))
        place += bitCount
      }
    }
    return Field(name: name, bytes: 0..<count, runs: runs)
  }

  /// Four bits of each element: of each `length` elements, the first half in the low nibbles, the second in the high ones.
  private static func nibbles(name: String, blockOf length: Int, count: Int) -> Field {
    bytes(name, count) { byte in
      let half = length / 2
      let element = byte / half * length + byte % half
      return [(4, .code(element), 0), (4, .code(element + half), 0)]
    }
  }

  /// The fifth bit of each of 32 elements.
  private static let fifths = bytes("qh", 4) { byte in
    (0..<8).map { (1, .code(8 * byte + $0), 4) }
  }

  /// Two bits of each of 256 elements.
  private static let pairs = bytes("qs", 64) { byte in
    (0..<4).map { (2, .code(128 * (byte / 32) + 32 * $0 + byte % 32), 0) }
  }

  /// The third bit of each of 256 elements.
  private static let thirds = bytes("hmask", 32) { byte in
    (0..<8).map { (1, .code(32 * $0 + byte), 2) }
  }

  /// 16 scales of 6 bits: the low four of two in each of 8 bytes, then the high two of four in each of 4.
  private static let scalesOfQ3K = bytes("scales", 12) { byte in
    byte < 8
      ? [(4, .subScale(byte), 0), (4, .subScale(byte + 8), 0)]
      : (0..<4).map { (2, .subScale(4 * $0 + byte - 8), 4) }
  }

  /// 8 scales and 8 offsets of 6 bits: the first four of each whole, the high bits of the others above them.
  private static let scalesOfQ4K = bytes("scales", 12) { byte in
    switch byte {
    case 0..<4: [(6, .subScale(byte), 0), (2, .subScale(byte + 4), 4)]
    case 4..<8: [(6, .subOffset(byte - 4), 0), (2, .subOffset(byte), 4)]
    default: [(4, .subScale(byte - 4), 0), (4, .subOffset(byte - 4), 0)]
    }
  }
}
