internal import Foundation

/// One step of normalization, applied to each stretch of text between special tokens.
enum Normalizer: Hashable, Sendable {
  case canonicalComposition
  case canonicalDecomposition
  case compatibilityComposition
  case compatibilityDecomposition
  case lowercase
  case strip(left: Bool, right: Bool)
  case prepend(String)
  case replace(TextPattern, with: String)
  /// SentencePiece's table of replacements, ``CharacterMap``.
  case characterMap([UInt8], byGraphemes: Bool)

  /// Takes spaces at both ends away and makes every run of them one; written so that it means the same to the regular
  /// expressions of `tokenizers`.
  static let removingExtraSpaces = replace(.regex(PatternFinder.extraSpacesText), with: "")
}

/// A chain of normalization steps, ready to run.
struct NormalizerChain: Sendable {
  private enum Step: Sendable {
    case text(Normalizer)
    case prepend([UInt8])
    case replace(PatternFinder, [UInt8])
    case map(CharacterMap)
  }
  private let steps: [Step]

  /// Whether the chain leaves every text as it is.
  var isEmpty: Bool { steps.isEmpty }

  init(_ normalizers: [Normalizer]) throws(ModelError) {
    var steps: [Step] = []
    var growth = 1
    for normalizer in normalizers {
      switch normalizer {
      case .prepend(let text):
        guard text.utf8.count <= 256 else {
          throw .tokenizer("normalizer.prepend", "longer than 256 bytes")
        }
        steps.append(.prepend(Array(text.utf8)))
      case .replace(let pattern, let content):
        let finder = try PatternFinder(pattern, key: "normalizer.pattern")
        let content = Array(content.utf8)
        growth = try Self.grown(growth, finder, content, key: "normalizer")
        steps.append(.replace(finder, content))
      case .characterMap(let table, let byGraphemes):
        steps.append(
          .map(
            try CharacterMap(
              table, byGraphemes: byGraphemes, key: "normalizer.precompiled_charsmap")))
      default: steps.append(.text(normalizer))
      }
    }
    self.steps = steps
  }

  /// The growth of a text over one more replacement.
  ///
  /// - Throws: ``ModelError/Code/tokenizer`` where a file could turn a short text into one that fills the memory.
  static func grown(_ growth: Int, _ finder: PatternFinder, _ content: [UInt8], key: String)
    throws(ModelError) -> Int
  {
    let (result, overflows) = growth.multipliedReportingOverflow(
      by: finder.growth(replacing: content))
    guard !overflows, result <= 256 else {
      throw .tokenizer(key, "the replacements make a text more than 256 times as long")
    }
    return result
  }

  /// Applies the chain to valid UTF-8; the result is valid UTF-8.
  func apply(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    for step in steps {
      switch step {
      case .prepend(let text): if !bytes.isEmpty { bytes = text + bytes }
      case .replace(let finder, let content):
        bytes = Self.replacing(finder.matches(bytes.span, 0..<bytes.count), in: bytes, content)
      case .map(let map): bytes = map.apply(bytes)
      case .text(let normalizer): bytes = Self.apply(normalizer, bytes)
      }
    }
    return bytes
  }

  static func replacing(_ matches: [Range<Int>], in bytes: [UInt8], _ content: [UInt8]) -> [UInt8] {
    guard !matches.isEmpty else { return bytes }
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + matches.count * content.count)
    var place = 0
    for match in matches {
      result += bytes[place..<match.lowerBound]
      result += content
      place = match.upperBound
    }
    return result + bytes[place...]
  }

  private static func apply(_ normalizer: Normalizer, _ bytes: [UInt8]) -> [UInt8] {
    switch normalizer {
    case .canonicalComposition where isSurelyComposed(bytes.span): return bytes
    case .canonicalComposition:
      return Array(text(bytes).canonicallyComposed.utf8)
    case .canonicalDecomposition:
      return Array(text(bytes).decomposedStringWithCanonicalMapping.utf8)
    case .compatibilityComposition:
      return Array(text(bytes).decomposedStringWithCompatibilityMapping.canonicallyComposed.utf8)
    case .compatibilityDecomposition:
      return Array(text(bytes).decomposedStringWithCompatibilityMapping.utf8)
    case .lowercase:
      var result = ""
      for scalar in text(bytes).unicodeScalars { result += scalar.properties.lowercaseMapping }
      return Array(result.utf8)
    case .strip(let left, let right):
      let scalars = text(bytes).unicodeScalars
      var kept = scalars[...]
      if left { kept = kept.drop(while: \.properties.isWhitespace) }
      if right { while kept.last?.properties.isWhitespace == true { kept.removeLast() } }
      return Array(String(kept).utf8)
    case .prepend, .replace, .characterMap: return bytes
    }
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
