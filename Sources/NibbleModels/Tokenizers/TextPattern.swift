internal import Foundation

/// What a `Replace` or `Split` step looks for.
enum TextPattern: Hashable, Sendable {
  case literal(String)
  case regex(String)
}

/// Finds the matches of a pattern in UTF-8 text.
struct PatternFinder: Sendable {
  private enum Search: Sendable {
    case literal([UInt8])
    case regex(NSRegularExpression)
    case extraSpaces
  }
  /// Spaces at both ends of a text, behind it also their marks, and all but one of each run.
  static let extraSpacesText = #"\A +|[ ▁]+\z| +(?= )"#

  private let search: Search

  /// - Parameters:
  ///   - pattern: regular expressions run on Foundation's engine, which is many times slower than the scanners for the
  ///     well-known ones.
  ///   - key: where the pattern stands, for messages.
  /// - Throws: ``ModelError/Code/tokenizer`` for a pattern that is empty, too long or not a regular expression.
  init(_ pattern: TextPattern, key: String) throws(ModelError) {
    switch pattern {
    case .literal(let text):
      guard !text.isEmpty else { throw .tokenizer(key, "an empty pattern") }
      search = .literal(Array(text.utf8))
    case .regex(Self.extraSpacesText): search = .extraSpaces
    case .regex(let text):
      guard text.utf8.count <= 8192 else {
        throw .tokenizer(key, "a regular expression longer than 8192 bytes")
      }
      let regex: NSRegularExpression
      do {
        regex = try NSRegularExpression(pattern: Self.translated(text))
      } catch {
        throw .tokenizer(key, "not a regular expression: \(quoted(text))")
      }
      search = .regex(regex)
    }
  }

  /// The pattern in the dialect of the engine at hand, whose `\s` leaves out some of Unicode's white space.
  private static func translated(_ pattern: String) -> String {
    var result = ""
    var isEscaped = false
    for scalar in pattern.unicodeScalars {
      if isEscaped {
        isEscaped = false
        switch scalar {
        case "s": result += "\\p{White_Space}"
        case "S": result += "\\P{White_Space}"
        default:
          result += "\\"
          result.unicodeScalars.append(scalar)
        }
      } else if scalar == "\\" {
        isEscaped = true
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return isEscaped ? result + "\\" : result
  }

  /// How many times as long a text can get when every match becomes `content`, at most.
  func growth(replacing content: [UInt8]) -> Int {
    switch search {
    case .literal(let pattern): max(1, (content.count + pattern.count - 1) / pattern.count)
    case .regex, .extraSpaces: content.count + 1
    }
  }

  /// The non-overlapping matches inside `range`, in order; the text outside `range` is not seen.
  func matches(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [Range<Int>] {
    switch search {
    case .literal(let pattern):
      var matches: [Range<Int>] = []
      var place = range.lowerBound
      while range.upperBound - place >= pattern.count {
        if bytes[place] == pattern[0], bytes.contains(pattern, at: place, before: range.upperBound)
        {
          matches.append(place..<place + pattern.count)
          place += pattern.count
        } else {
          place += 1
        }
      }
      return matches
    case .regex(let regex):
      return Self.matches(regex, bytes, range)
    case .extraSpaces:
      return Self.extraSpaces(bytes, range)
    }
  }

  private static func extraSpaces(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [Range<Int>] {
    var matches: [Range<Int>] = []
    var place = range.lowerBound
    let limit = spacesStart(bytes, range)
    while place < limit {
      let start = place
      while place < limit, bytes[place] == 0x20 { place += 1 }
      let end = start == range.lowerBound ? place : place - 1
      if start < end { matches.append(start..<end) }
      place = max(place, start + 1)
    }
    if limit < range.upperBound { matches.append(limit..<range.upperBound) }
    return matches
  }

  /// Where the spaces and marks at the end of `range` begin.
  private static func spacesStart(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
    let mark = Array(TokenizerDefinition.spaceMark.utf8)
    var place = range.upperBound
    while place > range.lowerBound {
      if bytes[place - 1] == 0x20 {
        place -= 1
      } else if place - range.lowerBound >= mark.count,
        bytes.contains(mark, at: place - mark.count, before: place)
      {
        place -= mark.count
      } else {
        break
      }
    }
    return place
  }

  private static func matches(
    _ regex: NSRegularExpression, _ bytes: Span<UInt8>, _ range: Range<Int>
  ) -> [Range<Int>] {
    var copy: [UInt8] = []
    copy.reserveCapacity(range.count)
    for index in range { copy.append(bytes[index]) }
    let text = String(decoding: copy, as: UTF8.self)
    let found = regex.matches(in: text, range: NSRange(location: 0, length: text.utf16.count))
    // Positions in UTF-16 become positions in UTF-8 in one walk, since both ascend.
    var units = 0
    var place = range.lowerBound
    func position(_ target: Int) -> Int {
      while units < target, place < range.upperBound {
        let count = bytes.scalar(at: place).count
        units += count == 4 ? 2 : 1
        place += count
      }
      return place
    }
    var matches: [Range<Int>] = []
    matches.reserveCapacity(found.count)
    for match in found where match.range.location != NSNotFound {
      let start = position(match.range.location)
      let end = position(match.range.location + match.range.length)
      matches.append(start..<end)
    }
    return matches
  }
}
