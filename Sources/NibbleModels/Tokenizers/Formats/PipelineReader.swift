internal import Foundation
internal import NibbleCheckpoints

/// Reads the steps of a `tokenizer.json`: normalizer, pre-tokenizer, decoder.
enum PipelineReader {
  /// The steps of a component: none for null, a `Sequence`'s members, or the component itself.
  static func steps(_ value: JSONValue?, _ key: String, _ list: String)
    throws(ModelError) -> [(key: String, type: String, value: JSONValue)]
  {
    guard let value, !value.isNull else { return [] }
    guard let type = value["type"]?.string else { throw .tokenizer("\(key).type", "not a text") }
    guard type == "Sequence" else { return [(key, type, value)] }
    guard let members = value[list]?.array else {
      throw .tokenizer("\(key).\(list)", "not an array")
    }
    var result: [(key: String, type: String, value: JSONValue)] = []
    for (index, member) in members.enumerated() {
      result += try steps(member, "\(key).\(list)[\(index)]", list)
    }
    return result
  }

  static func normalizers(_ value: JSONValue?) throws(ModelError) -> [Normalizer] {
    var result: [Normalizer] = []
    for (key, type, value) in try steps(value, "normalizer", "normalizers") {
      switch type {
      case "NFC": result.append(.canonicalComposition)
      case "NFD": result.append(.canonicalDecomposition)
      case "NFKC": result.append(.compatibilityComposition)
      case "NFKD": result.append(.compatibilityDecomposition)
      case "Lowercase": result.append(.lowercase)
      case "Strip":
        result.append(
          .strip(
            left: try flag(value, "strip_left", key, true),
            right: try flag(value, "strip_right", key, true)))
      case "Precompiled":
        let table = try text(value, "precompiled_charsmap", key)
        guard let bytes = Data(base64Encoded: table).map({ [UInt8]($0) }) else {
          throw .tokenizer("\(key).precompiled_charsmap", "not base64")
        }
        if !bytes.isEmpty { result.append(.characterMap(bytes, byGraphemes: true)) }
      case "Prepend": result.append(.prepend(try text(value, "prepend", key)))
      case "Replace":
        result.append(.replace(try pattern(value, key), with: try text(value, "content", key)))
      default: throw unsupported(key, type)
      }
    }
    return result
  }

  static func preTokenizers(_ value: JSONValue?) throws(ModelError) -> [PreTokenizer] {
    var result: [PreTokenizer] = []
    for (key, type, value) in try steps(value, "pre_tokenizer", "pretokenizers") {
      if case .byteLevel = result.last {
        throw .tokenizer(key, "a step after ByteLevel is not supported")
      }
      switch type {
      case "ByteLevel":
        result.append(
          .byteLevel(
            addsSpace: try flag(value, "add_prefix_space", key, true),
            splits: try flag(value, "use_regex", key, true)))
      case "Split":
        result.append(
          .split(
            try pattern(value, key), try behavior(value, key, nil),
            inverts: try flag(value, "invert", key, false)))
      case "Digits":
        result.append(.digits(individually: try flag(value, "individual_digits", key, false)))
      case "Metaspace":
        let (replacement, prepending, splits) = try metaspace(value, key)
        result.append(.metaspace(replacement: replacement, prepending, splits: splits))
      case "Whitespace": result.append(.whitespace)
      case "WhitespaceSplit": result.append(.whitespaceSplit)
      case "Punctuation": result.append(.punctuation(try behavior(value, key, .isolated)))
      default: throw unsupported(key, type)
      }
    }
    return result
  }

  static func decoders(_ value: JSONValue?) throws(ModelError) -> [Decoder] {
    var result: [Decoder] = []
    for (key, type, value) in try steps(value, "decoder", "decoders") {
      switch type {
      case "ByteLevel": result.append(.byteLevel)
      case "ByteFallback": result.append(.byteFallback)
      case "Fuse": result.append(.fuse)
      case "Replace":
        result.append(.replace(try pattern(value, key), with: try text(value, "content", key)))
      case "Strip":
        result.append(
          .strip(
            character: try text(value, "content", key), start: try count(value, "start", key),
            stop: try count(value, "stop", key)))
      case "Metaspace":
        let (replacement, prepending, splits) = try metaspace(value, key)
        result.append(.metaspace(replacement: replacement, prepending, splits: splits))
      default: throw unsupported(key, type)
      }
    }
    return result
  }

  private static func unsupported(_ key: String, _ type: String) -> ModelError {
    ModelError(.unsupported, "\(key): \(quoted(type)) is not supported")
  }

  private static func flag(_ value: JSONValue, _ name: String, _ key: String, _ missing: Bool)
    throws(ModelError) -> Bool
  {
    guard let member = value[name], !member.isNull else { return missing }
    guard let flag = member.bool else { throw .tokenizer("\(key).\(name)", "not true or false") }
    return flag
  }

  private static func text(_ value: JSONValue, _ name: String, _ key: String)
    throws(ModelError) -> String
  {
    guard let text = value[name]?.string else { throw .tokenizer("\(key).\(name)", "not a text") }
    return text
  }

  private static func count(_ value: JSONValue, _ name: String, _ key: String)
    throws(ModelError) -> Int
  {
    guard let count = value[name]?.integer, count >= 0 else {
      throw .tokenizer("\(key).\(name)", "not a count")
    }
    return count
  }

  private static func pattern(_ value: JSONValue, _ key: String) throws(ModelError) -> TextPattern {
    if let text = value["pattern"]?["String"]?.string { return .literal(text) }
    if let text = value["pattern"]?["Regex"]?.string { return .regex(text) }
    throw .tokenizer("\(key).pattern", "neither a String nor a Regex")
  }

  private static func behavior(_ value: JSONValue, _ key: String, _ missing: SplitBehavior?)
    throws(ModelError) -> SplitBehavior
  {
    if value["behavior"] == nil, let missing { return missing }
    guard let name = value["behavior"]?.string, let behavior = SplitBehavior(rawValue: name) else {
      throw .tokenizer("\(key).behavior", "not a known behavior")
    }
    return behavior
  }

  private static func metaspace(_ value: JSONValue, _ key: String)
    throws(ModelError) -> (String, PreTokenizer.Prepending, Bool)
  {
    let replacement = try value["replacement"] == nil ? "▁" : text(value, "replacement", key)
    guard replacement.unicodeScalars.count == 1 else {
      throw .tokenizer("\(key).replacement", "not one character")
    }
    // Files from before `prepend_scheme` say `add_prefix_space`.
    let isAdded = try flag(value, "add_prefix_space", key, true)
    let name = value["prepend_scheme"]?.string ?? (isAdded ? "always" : "never")
    guard let prepending = PreTokenizer.Prepending(rawValue: name) else {
      throw .tokenizer("\(key).prepend_scheme", "not always, first or never")
    }
    return (replacement, prepending, try flag(value, "split", key, true))
  }
}
