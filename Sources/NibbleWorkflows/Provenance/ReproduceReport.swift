public import NibbleCheckpoints

/// What making a model again gave.
public struct ReproduceReport: Sendable {
  /// The model that was made again.
  public var model: String
  /// Where the source was read.
  public var source = ""
  public var provenance: Provenance
  /// The first thing that differs: an input, a file, a key or a tensor with the place; nil where all bytes are the same.
  public var difference: String?
  /// What the user should know.
  public var notes: [String] = []
  public var seconds = 0.0

  init(model: String, provenance: Provenance) {
    self.model = model
    self.provenance = provenance
  }

  public var isIdentical: Bool { difference == nil }

  /// The report as one JSON object.
  public var json: JSONValue {
    [
      "identical": .bool(isIdentical), "difference": difference.map { .string($0) } ?? .null,
      "model": .string(model), "source": .string(source), "seconds": .number(seconds),
      "notes": .array(notes.map { .string($0) }), "provenance": provenance.json,
    ]
  }
}
