internal import Foundation
internal import NibbleCheckpoints

/// Writes the steps of a `tokenizer.json`.
enum PipelineWriter {
  /// Null, the one step, or a `Sequence` whose members stand under `list`.
  static func chain(_ steps: [JSONValue], _ list: String) -> JSONValue {
    switch steps.count {
    case 0: nil
    case 1: steps[0]
    default: ["type": "Sequence", list: .array(steps)]
    }
  }

  static func metaspace(
    _ replacement: String, _ prepending: PreTokenizer.Prepending, _ splits: Bool
  ) -> JSONValue {
    [
      "type": "Metaspace", "replacement": .string(replacement),
      "prepend_scheme": .string(prepending.rawValue), "split": .bool(splits),
    ]
  }
}

extension TextPattern {
  var json: JSONValue {
    switch self {
    case .literal(let text): ["String": .string(text)]
    case .regex(let text): ["Regex": .string(text)]
    }
  }
}

extension AddedToken {
  var json: JSONValue {
    [
      "id": .integer(Int64(id)), "content": .string(content),
      "single_word": .bool(isSingleWord), "lstrip": .bool(stripsLeft),
      "rstrip": .bool(stripsRight), "normalized": .bool(isNormalized), "special": .bool(isSpecial),
    ]
  }
}

extension Normalizer {
  var json: JSONValue {
    switch self {
    case .canonicalComposition: ["type": "NFC"]
    case .canonicalDecomposition: ["type": "NFD"]
    case .compatibilityComposition: ["type": "NFKC"]
    case .compatibilityDecomposition: ["type": "NFKD"]
    case .lowercase: ["type": "Lowercase"]
    case .strip(let left, let right):
      ["type": "Strip", "strip_left": .bool(left), "strip_right": .bool(right)]
    case .prepend(let text): ["type": "Prepend", "prepend": .string(text)]
    case .replace(let pattern, let content):
      ["type": "Replace", "pattern": pattern.json, "content": .string(content)]
    case .characterMap(let table, _):
      [
        "type": "Precompiled",
        "precompiled_charsmap": .string(Data(table).base64EncodedString()),
      ]
    }
  }
}

extension PreTokenizer {
  var json: JSONValue {
    switch self {
    case .byteLevel(let addsSpace, let splits):
      [
        "type": "ByteLevel", "add_prefix_space": .bool(addsSpace), "trim_offsets": true,
        "use_regex": .bool(splits),
      ]
    case .split(let pattern, let behavior, let inverts):
      [
        "type": "Split", "pattern": pattern.json, "behavior": .string(behavior.rawValue),
        "invert": .bool(inverts),
      ]
    case .digits(let individually): ["type": "Digits", "individual_digits": .bool(individually)]
    case .metaspace(let replacement, let prepending, let splits):
      PipelineWriter.metaspace(replacement, prepending, splits)
    case .whitespace: ["type": "Whitespace"]
    case .whitespaceSplit: ["type": "WhitespaceSplit"]
    case .punctuation(let behavior):
      ["type": "Punctuation", "behavior": .string(behavior.rawValue)]
    }
  }
}

extension Decoder {
  var json: JSONValue {
    switch self {
    case .byteLevel:
      ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true]
    case .byteFallback: ["type": "ByteFallback"]
    case .fuse: ["type": "Fuse"]
    case .replace(let pattern, let content):
      ["type": "Replace", "pattern": pattern.json, "content": .string(content)]
    case .strip(let character, let start, let stop):
      [
        "type": "Strip", "content": .string(character), "start": .integer(Int64(start)),
        "stop": .integer(Int64(stop)),
      ]
    case .metaspace(let replacement, let prepending, let splits):
      PipelineWriter.metaspace(replacement, prepending, splits)
    }
  }
}
