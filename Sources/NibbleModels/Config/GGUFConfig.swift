internal import NibbleCheckpoints
internal import NibbleTensors

/// The keys of one architecture in a GGUF file.
struct GGUFConfig: ConfigSource {
  let metadata: Metadata
  /// The architecture's name.
  let prefix: String
  /// The file's tensors, some of which hold hyperparameters.
  let checkpoint: Checkpoint

  var isGGUF: Bool { true }

  func label(_ key: String) -> String { "the key \(prefix).\(key)" }

  func string(_ key: String) -> String? { metadata["\(prefix).\(key)"]?.string }

  func count(_ key: String) throws(ModelError) -> Int? {
    guard let value = metadata["\(prefix).\(key)"] else { return nil }
    guard let integer = value.integer, (0...(1 << 40)).contains(integer) else {
      throw ModelError(.malformed, "\(label(key)) is no sensible whole number")
    }
    return integer
  }

  func number(_ key: String) throws(ModelError) -> Double? {
    guard let value = metadata["\(prefix).\(key)"] else { return nil }
    guard let number = value.number else {
      throw ModelError(.malformed, "\(label(key)) is no number")
    }
    return number
  }

  func flag(_ key: String) throws(ModelError) -> Bool? { metadata["\(prefix).\(key)"]?.bool }

  /// The values of a tensor of positive F32 numbers; nil when it is not there.
  func positiveNumbers(_ name: String) throws(ModelError) -> [Float]? {
    guard let record = checkpoint[name] else { return nil }
    try require(record.type == .plain(.float32), "\(name) is \(record.type.name), not F32")
    let values = record.bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
    try require(
      values.allSatisfy { $0.isFinite && $0 > 0 }, "\(name) holds a value that is not positive")
    return values
  }
}
