/// SentencePiece's table of replacements for characters and short sequences of them (`precompiled_charsmap`).
///
/// The bytes are a count, so many bytes of a trie as 32-bit little-endian units in the form of Darts-clone (a unit holds a
/// label, whether a value hangs below, and the offset of its children), then the replacements, each ended by a zero byte;
/// a value is where its replacement begins.
struct CharacterMap: Sendable {
  private let units: [UInt32]
  private let texts: [UInt8]
  /// Whether a text of this one byte stays as it is, whatever follows that is no longer match.
  private let isPlain: [Bool]
  private let byGraphemes: Bool

  /// - Parameters:
  ///   - bytes: the table.
  ///   - byGraphemes: look up whole grapheme clusters of fewer than six bytes, then single characters, as the `tokenizers`
  ///     package does; otherwise the longest match at each place, as SentencePiece does.
  ///   - key: where the table stands, for messages.
  /// - Throws: ``ModelError/Code/tokenizer`` for a table that contradicts itself.
  init(_ bytes: [UInt8], byGraphemes: Bool, key: String) throws(ModelError) {
    guard bytes.count > 4, bytes.count <= 1 << 26 else {
      throw .tokenizer(key, "a table of \(bytes.count) bytes")
    }
    func unit(_ place: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(bytes[place + $1]) << (8 * UInt32($1)) }
    }
    let count = Int(unit(0))
    guard count % 4 == 0, count >= 4, count <= bytes.count - 4 else {
      throw .tokenizer(key, "a trie of \(count) bytes in a table of \(bytes.count)")
    }
    units = (0..<count / 4).map { unit(4 + 4 * $0) }
    texts = Array(bytes[(4 + count)...])
    guard String(validating: texts, as: UTF8.self) != nil else {
      throw .tokenizer(key, "replacements that are not UTF-8")
    }
    guard texts.split(separator: 0).allSatisfy({ $0.count <= 256 }) else {
      throw .tokenizer(key, "a replacement longer than 256 bytes")
    }
    self.byGraphemes = byGraphemes
    let units = units
    isPlain = (0..<128).map { byte in
      Self.step(units, Self.offset(units[0]), UInt8(byte)) == nil
    }
  }

  private static func offset(_ unit: UInt32) -> Int {
    Int((unit >> 10) << ((unit & 1 << 9) >> 6))
  }

  /// One byte down the trie: where its children are, and the value that ends there, if any.
  private static func step(_ units: [UInt32], _ base: Int, _ byte: UInt8)
    -> (base: Int, value: Int?)?
  {
    let place = base ^ Int(byte)
    guard place < units.count, units[place] & 0x8000_00FF == UInt32(byte) else { return nil }
    let next = place ^ offset(units[place])
    guard units[place] >> 8 & 1 == 1 else { return (next, nil) }
    guard next < units.count else { return nil }
    return (next, Int(units[next] & 0x7FFF_FFFF))
  }

  /// The first or longest match at the start of `range`, its bytes and where its replacement begins.
  private func match(_ bytes: Span<UInt8>, _ range: Range<Int>, takesLongest: Bool)
    -> (count: Int, text: Int)?
  {
    var base = Self.offset(units[0])
    var found: (count: Int, text: Int)?
    for place in range {
      guard let (next, value) = Self.step(units, base, bytes[place]) else { break }
      base = next
      if let value, value < texts.count {
        found = (place + 1 - range.lowerBound, value)
        if !takesLongest { break }
      }
    }
    return found
  }

  /// The text with all replacements made; valid UTF-8 stays so.
  func apply(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + bytes.count / 8)
    let text = bytes.span
    var place = 0
    while place < bytes.count {
      let next = place + 1
      if bytes[place] < 0x80, isPlain[Int(bytes[place])],
        !byGraphemes || next == bytes.count || bytes[next] < 0x80
      {
        result.append(bytes[place])
        place = next
        continue
      }
      if byGraphemes {
        place = applyToGraphemes(bytes, place, &result)
      } else if let (count, start) = match(text, place..<bytes.count, takesLongest: true),
        Self.isBoundary(bytes, place + count)
      {
        append(start, &result)
        place += count
      } else {
        let count = text.scalar(at: place).count
        result += bytes[place..<place + count]
        place += count
      }
    }
    return result
  }

  /// Treats the grapheme clusters from `start` up to a place where plain ASCII goes on; returns that place.
  private func applyToGraphemes(_ bytes: [UInt8], _ start: Int, _ result: inout [UInt8]) -> Int {
    var end = start
    // A cluster never reaches over two ASCII characters, but "\r\n" is one.
    while end < bytes.count {
      if end > start, bytes[end] < 0x80, bytes[end - 1] < 0x80,
        !(bytes[end] == 0x0A && bytes[end - 1] == 0x0D)
      {
        break
      }
      end += 1
    }
    // The last ASCII character may carry marks that follow; it was looked at together with them.
    let text = bytes.span
    var place = start
    for cluster in String(decoding: bytes[start..<end], as: UTF8.self) {
      let limit = place + cluster.utf8.count
      if limit - place < 6, let (_, start) = match(text, place..<limit, takesLongest: false) {
        append(start, &result)
        place = limit
      }
      while place < limit {
        let count = text.scalar(at: place).count
        if let (_, start) = match(text, place..<place + count, takesLongest: false) {
          append(start, &result)
        } else {
          result += bytes[place..<place + count]
        }
        place += count
      }
    }
    return end
  }

  private static func isBoundary(_ bytes: [UInt8], _ place: Int) -> Bool {
    place == bytes.count || bytes[place] & 0xC0 != 0x80
  }

  private func append(_ start: Int, _ result: inout [UInt8]) {
    // A replacement that begins inside a character would break the text.
    guard texts[start] & 0xC0 != 0x80 else { return }
    for byte in texts[start...] {
      guard byte != 0 else { break }
      result.append(byte)
    }
  }
}
