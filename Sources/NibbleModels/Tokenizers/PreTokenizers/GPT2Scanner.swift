/// Cuts text as ``KnownExpression/gpt2Text`` does, in one pass.
struct GPT2Scanner: PieceScanner {
  private static let kinds = UnicodeClasses.letter | UnicodeClasses.number | UnicodeClasses.space
  private let classes = UnicodeClasses.shared

  func end(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int) -> Int {
    let first = bytes[start]
    if first == UInt8(ascii: "'") {
      let count = Contraction.length(bytes, start, limit, ignoresCase: false)
      if count > 0 { return start + count }
    }
    // ` ?` and a run of letters, of numbers, or of neither
    var place = start
    if first == UInt8(ascii: " "), start + 1 < limit { place += 1 }
    let (flags, count) = classes.at(bytes, place)
    if flags & UnicodeClasses.space != 0 {
      return WhitespaceRun(bytes, start, limit, classes).end
    }
    return classes.runEnd(bytes, place + count, limit, of: flags & Self.kinds, among: Self.kinds)
  }
}

extension UnicodeClasses {
  /// Where a run of characters that have exactly `wanted` of the classes `kinds` ends.
  @inline(__always)
  func runEnd(
    _ bytes: Span<UInt8>, _ start: Int, _ limit: Int, of wanted: UInt8, among kinds: UInt8
  ) -> Int {
    var place = start
    while place < limit {
      let (flags, count) = at(bytes, place)
      guard flags & kinds == wanted else { break }
      place += count
    }
    return place
  }
}

/// The English contractions that get a piece of their own.
enum Contraction {
  /// The bytes that `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` takes at an apostrophe; 0 when none stands there.
  ///
  /// Where case is ignored, `ſ` (U+017F) is an `s`, as in Unicode's simple case folding.
  static func length(
    _ bytes: Span<UInt8>, _ start: Int, _ limit: Int, ignoresCase: Bool
  ) -> Int {
    guard start + 1 < limit else { return 0 }
    let fold: UInt8 = ignoresCase ? 0x20 : 0
    let first = bytes[start + 1] | fold
    switch first {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"), UInt8(ascii: "l"):
      guard start + 2 < limit else { return 0 }
      let second = UInt8(ascii: first == UInt8(ascii: "l") ? "l" : "e")
      return bytes[start + 2] | fold == second ? 3 : 0
    default:
      let isLongS =
        ignoresCase && start + 2 < limit && bytes[start + 1] == 0xC5 && bytes[start + 2] == 0xBF
      return isLongS ? 3 : 0
    }
  }
}

/// A run of white space and where its first piece ends.
struct WhitespaceRun {
  /// Just past the last `\r` or `\n` of the run; its start when there is none.
  private(set) var newlineEnd: Int
  /// Where `\s+(?!\S)|\s+` ends: the whole run at the end of the text, else all but its last character, if any.
  let end: Int

  init(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int, _ classes: UnicodeClasses) {
    var place = start
    var last = start
    newlineEnd = start
    while place < limit {
      let (flags, count) = classes.at(bytes, place)
      guard flags & UnicodeClasses.space != 0 else { break }
      last = place
      place += count
      if bytes[last] == 0x0A || bytes[last] == 0x0D { newlineEnd = place }
    }
    end = place == limit || last == start ? place : last
  }
}
