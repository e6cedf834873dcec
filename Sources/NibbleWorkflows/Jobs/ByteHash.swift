/// A 64-bit hash of bytes, to see whether a file holds what was written to it. Not for security.
///
/// Four lanes of multiply and rotate over 32-byte steps, folded with the finalizer of SplitMix64.
package struct ByteHash: Hashable, Sendable {
  package private(set) var value: UInt64

  package init(_ bytes: UnsafeRawBufferPointer) {
    var lanes = SIMD4<UInt64>(
      0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x27D4_EB2F_1656_67C5)
    let factor: UInt64 = 0x9FB2_1C65_1E98_DF25
    var offset = 0
    while offset + 32 <= bytes.count {
      for lane in 0..<4 {
        let word = bytes.loadUnaligned(fromByteOffset: offset + 8 * lane, as: UInt64.self)
        let mixed = (lanes[lane] ^ word) &* factor
        lanes[lane] = mixed << 29 | mixed >> 35
      }
      offset += 32
    }
    value = UInt64(bytes.count)
    for lane in 0..<4 { value = Self.fold(value ^ lanes[lane]) }
    while offset < bytes.count {
      value = Self.fold(value ^ UInt64(bytes[offset]))
      offset += 1
    }
  }

  private static func fold(_ word: UInt64) -> UInt64 {
    var z = word &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
