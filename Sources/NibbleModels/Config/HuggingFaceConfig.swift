internal import NibbleCheckpoints

/// The keys of a `config.json` of transformers version 4 or 5.
struct HuggingFaceConfig: ConfigSource {
  /// The text model's part.
  let json: JSONValue

  var isGGUF: Bool { false }

  func label(_ key: String) -> String { key }

  func count(_ key: String) throws(ModelError) -> Int? {
    guard let value = json[key], !value.isNull else { return nil }
    guard let integer = value.integer, (0...(1 << 40)).contains(integer) else {
      throw ModelError(.malformed, "\(key) is no whole number of a sensible size")
    }
    return integer
  }

  func number(_ key: String) throws(ModelError) -> Double? {
    guard let value = json[key], !value.isNull else { return nil }
    guard let number = value.number else { throw ModelError(.malformed, "\(key) is no number") }
    return number
  }

  func flag(_ key: String) throws(ModelError) -> Bool? { json[key]?.bool }

  /// The kinds of attention, block by block, as `layer_types` lists them; nil when it does not.
  func windowedBlocks() throws(ModelError) -> [Bool]? {
    guard let types = json["layer_types"]?.array else { return nil }
    var windowed: [Bool] = []
    for type in types {
      switch type.string {
      case "full_attention": windowed.append(false)
      case "sliding_attention": windowed.append(true)
      default:
        throw ModelError(
          .unsupported,
          "layer_types holds \"\(type.string ?? "?")\"; Nibble runs full and sliding attention")
      }
    }
    return windowed
  }

  /// Checks that the activation is the one that the architecture computes.
  func requireActivation(_ activation: Activation, _ key: String) throws(ModelError) {
    guard let name = json[key]?.string, !activation.huggingFaceNames.contains(name) else { return }
    throw ModelError(
      .unsupported,
      "\(key) \"\(name)\" is not supported, only \(activation.huggingFaceNames[0])")
  }
}
