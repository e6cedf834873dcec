internal import NibbleTensors

// The format before GGUF, little-endian throughout: a count of entries; for each the length of its name, the name, the calls
// (windows) and the number of values, and these: mean of x² · calls. Then, where the writer knew them, the last window and
// the length and name of the text.

extension ImportanceMatrix {
  /// Reads the format before GGUF, which does not tell the layers of a stack apart: an entry is one layer of as many columns
  /// as it has values, until ``Entry/split(columnCount:)``.
  ///
  /// - Throws: ``CheckpointError``; numbers in the file are believed only as far as there are bytes.
  init(legacy view: ByteView) throws(CheckpointError) {
    let result = view.withUnsafeBytes { bytes in
      Result { () throws(CheckpointError) in try Self.parse(bytes) }
    }
    self = try result.get()
  }

  private static func parse(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError)
    -> ImportanceMatrix
  {
    var reader = ByteReader(bytes)
    let count = try reader.integer(Int32.self, "the number of entries")
    guard count > 0 else {
      throw CheckpointError(.malformed, "is no importance matrix: it claims \(count) entries")
    }
    var matrix = ImportanceMatrix(entries: [])
    var names: Set<String> = []
    for index in 0..<Int(count) {
      let entry = try parseEntry(&reader, index)
      guard names.insert(entry.name).inserted else {
        throw CheckpointError(.malformed, "stands twice in the file", tensor: entry.name)
      }
      matrix.entries.append(entry)
    }
    if reader.remainingCount >= 8 {
      matrix.windowCount = max(0, Int(try reader.integer(Int32.self, "the last window")))
      let length = Int(try reader.integer(Int32.self, "the length of the text's name"))
      let name = String(exactly: try reader.take(length, "the text's name"))
      if let name, !name.isEmpty { matrix.datasets = [name] }
    }
    return matrix
  }

  private static func parseEntry(
    _ reader: inout ByteReader, _ index: Int
  ) throws(CheckpointError) -> Entry {
    let what = "entry \(index)"
    let length = Int(try reader.integer(Int32.self, "\(what)'s name"))
    guard length > 0, let name = String(exactly: try reader.take(length, "\(what)'s name")) else {
      throw CheckpointError(.malformed, "the name of \(what) is empty or not UTF-8")
    }
    let calls = try reader.integer(Int32.self, "the calls of \(name)")
    let valueCount = Int(try reader.integer(Int32.self, "the number of values of \(name)"))
    guard valueCount > 0, valueCount <= reader.remainingCount / 4 else {
      throw CheckpointError(
        .malformed, "claims \(valueCount) values where \(reader.remainingCount) bytes are left",
        tensor: name)
    }
    let values = try reader.take(4 * valueCount, "the values of \(name)")
    let floats = (0..<valueCount).map {
      Float(
        bitPattern: UInt32(
          littleEndian: values.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
    }
    let entry = Entry(
      name: name, columnCount: valueCount, squareSums: floats, counts: [Float(max(1, calls))])
    try entry.requirePlausible()
    return entry
  }
}

extension ImportanceMatrix.Entry {
  /// The entry as layers of `columnCount` features; nil where it does not divide.
  public func split(columnCount: Int) -> ImportanceMatrix.Entry? {
    if columnCount == self.columnCount { return self }
    guard layerCount == 1, columnCount > 0, self.columnCount % columnCount == 0 else { return nil }
    return ImportanceMatrix.Entry(
      name: name, columnCount: columnCount, squareSums: squareSums,
      counts: [Float](repeating: counts[0], count: self.columnCount / columnCount))
  }
}
