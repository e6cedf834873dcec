/// Turns tokens into text as they come, without ever breaking a character.
///
/// Bytes that may yet become a character are held back. The pieces, `finish` included, join to what
/// ``Tokenizer/decode(_:skipSpecialTokens:)`` gives for all tokens at once.
public struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipsSpecialTokens: Bool
  private var pending: [UInt8] = []
  private var strippable: Int

  /// - Parameters:
  ///   - tokenizer: what the tokens belong to.
  ///   - skipSpecialTokens: leave special tokens out of the text.
  public init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool = true) {
    self.tokenizer = tokenizer
    skipsSpecialTokens = skipSpecialTokens
    strippable = tokenizer.decoder.leadingStrip.count
  }

  /// Takes the next token. Returns the text that is certain now, often empty.
  public mutating func append(_ token: Int) -> String {
    let decoder = tokenizer.decoder
    if skipsSpecialTokens, decoder.isSpecial(token) { return "" }
    for byte in decoder.bytes(of: token) {
      if strippable > 0 {
        if byte == decoder.leadingStrip.byte {
          strippable -= 1
          continue
        }
        strippable = 0
      }
      pending.append(byte)
    }
    let complete = pending.count - Self.incompleteTail(pending)
    guard complete > 0 else { return "" }
    let text = String(decoding: pending[..<complete], as: UTF8.self)
    pending.removeFirst(complete)
    return text
  }

  /// Ends the text. Returns what was held back, as U+FFFD where it is not a character.
  public mutating func finish() -> String {
    defer {
      pending = []
      strippable = tokenizer.decoder.leadingStrip.count
    }
    return String(decoding: pending, as: UTF8.self)
  }

  /// How many bytes at the end are the start of a character whose rest is missing.
  private static func incompleteTail(_ bytes: [UInt8]) -> Int {
    for count in 1...3 where count <= bytes.count {
      let lead = bytes[bytes.count - count]
      if lead & 0xC0 == 0x80 { continue }
      let length =
        switch lead {
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 1
        }
      guard count < length else { return 0 }
      if count == 1 { return 1 }
      // The second byte decides whether the start can still become a character (Unicode table 3-7).
      let second = bytes[bytes.count - count + 1]
      let isWellFormed =
        switch lead {
        case 0xE0: second >= 0xA0
        case 0xED: second < 0xA0
        case 0xF0: second >= 0x90
        case 0xF4: second < 0x90
        default: true
        }
      return isWellFormed ? count : 0
    }
    return 0
  }
}
