/// The alphabet in which byte-level vocabularies spell bytes: each byte is one printable character.
///
/// Bytes 0x21–0x7E, 0xA1–0xAC and 0xAE–0xFF stand for the scalar of the same number; the other 68, ascending, for
/// U+0100, U+0101, … (Radford et al. 2019, the GPT-2 encoder).
enum ByteAlphabet {
  /// The scalar that spells each byte.
  static let scalars: [UInt32] = {
    var next: UInt32 = 0x100
    return (0..<256).map { (byte: UInt32) -> UInt32 in
      if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE {
        return byte
      }
      defer { next += 1 }
      return next
    }
  }()

  /// The byte that each scalar below U+0144 spells, -1 for none.
  private static let bytes: [Int16] = {
    var bytes = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar)] = Int16(byte) }
    return bytes
  }()

  /// The bytes that `text` spells; nil when a character is outside the alphabet.
  static func bytes(of text: String) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      guard scalar.value < 0x144, bytes[Int(scalar.value)] >= 0 else { return nil }
      result.append(UInt8(bytes[Int(scalar.value)]))
    }
    return result
  }

  /// The text that spells `bytes`.
  static func text(of bytes: some Sequence<UInt8>) -> String {
    var result = String.UnicodeScalarView()
    for byte in bytes {
      if let scalar = Unicode.Scalar(scalars[Int(byte)]) { result.append(scalar) }
    }
    return String(result)
  }
}
