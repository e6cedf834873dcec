/// What a token is for; raw values are those of `tokenizer.ggml.token_type`.
enum TokenKind: Int32, Sendable {
  case normal = 1
  /// Stands for text that no other token can spell.
  case unknown
  /// Steers the model and is no text: begin, end, turn markers.
  case control
  /// Added to the vocabulary by hand: found in text before anything else is.
  case userDefined
  /// Fills a gap in the vocabulary.
  case unused
  /// `<0xHH>`: one byte.
  case byte

  /// The spelling of a byte token.
  static func byteTokenText(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return "<0x\(digits.count == 1 ? "0" : "")\(digits)>"
  }

  /// The byte that a token's text spells as `<0xHH>`; nil for other text.
  static func byte(ofTokenText text: String) -> UInt8? {
    let bytes = Array(text.utf8)
    guard bytes.count == 6, text.hasPrefix("<0x"), bytes[5] == UInt8(ascii: ">"),
      let value = UInt8(String(decoding: bytes[3..<5], as: UTF8.self), radix: 16),
      byteTokenText(value) == text
    else { return nil }
    return value
  }
}

/// A token that is looked for in the text itself, before pre-tokenizers and merges.
struct AddedToken: Hashable, Sendable {
  var id: Int
  var content: String
  /// Left out when text is decoded for people; found in text only where the caller wants special tokens parsed.
  var isSpecial = true
  /// Swallows white space before it.
  var stripsLeft = false
  /// Swallows white space after it.
  var stripsRight = false
  /// Found only where no word character stands beside it.
  var isSingleWord = false
  /// Looked for in normalized text rather than in the text as it came.
  var isNormalized = false
  /// Looked for in normalized text as it is spelled, itself not normalized; SentencePiece's user-defined pieces.
  var isVerbatim = false
}
