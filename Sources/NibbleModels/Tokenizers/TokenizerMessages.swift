extension ModelError {
  /// The error of a tokenizer's description: the key in question and what is wrong with it.
  static func tokenizer(_ key: String, _ reason: String) -> ModelError {
    ModelError(.tokenizer, "\(key): \(reason)")
  }
}

/// `text` in quotes, fit for one line of a message: control characters escaped, at most 80 characters.
func quoted(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars.prefix(80) {
    if scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
      || scalar.value == 0x2028 || scalar.value == 0x2029
    {
      result += scalar.escaped(asASCII: true)
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return result + (text.unicodeScalars.count > 80 ? "…\"" : "\"")
}
