#if canImport(Darwin)
  internal import Foundation
#else
  // Foundation on Linux leaves a Hangul syllable and a following final apart and does not recompose after a
  // compatibility decomposition; the standard library's own normalization, which backs `==`, is right.
  @_spi(_Unicode) internal import Swift
#endif

extension String {
  /// The text in normalization form C.
  var canonicallyComposed: String {
    #if canImport(Darwin)
      precomposedStringWithCanonicalMapping
    #else
      var result = UnicodeScalarView()
      result.append(contentsOf: _nfc)
      return String(result)
    #endif
  }
}

/// Whether no character of valid UTF-8 can compose or decompose; false where that is not sure at a glance.
func isSurelyComposed(_ bytes: Span<UInt8>) -> Bool {
  var place = 0
  while place < bytes.count {
    if bytes[place] < 0x80 {
      place += 1
      continue
    }
    let (scalar, count) = bytes.scalar(at: place)
    switch scalar {
    case 0..<0x300, 0x400..<0x483, 0x2010..<0x2028, 0x3001..<0x302A, 0x3041..<0x3097,
      0x30A1..<0x30FB, 0x3400..<0xA000, 0xAC00..<0xD7A4, 0xFF01..<0xFF5F:
      place += count
    default: return false
    }
  }
  return true
}
