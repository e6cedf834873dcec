package import NibbleTensors

/// One safetensors file, read but not interpreted.
///
/// The rules are those of the reference library, and two that only its specification states: no
/// duplicate keys, and a header that begins with `{` (white space before it is accepted, as the
/// library does).
package struct SafetensorsFile: Sendable {
  static let maximumHeaderByteCount = 100_000_000

  /// Tensors in the order of their bytes.
  package var tensors: [TensorRecord] = []
  /// The header's `__metadata__`.
  package var metadata: [String: String] = [:]

  /// Reads the header; tensor bytes are not touched.
  ///
  /// - Throws: ``CheckpointError`` with what contradicts the format, without the file's name.
  package init(_ view: ByteView) throws(CheckpointError) {
    let headerByteCount = try Self.headerByteCount(view)
    let result = view[8..<8 + headerByteCount].withUnsafeBytes { bytes in
      Result { () throws(CheckpointError) in try Self.header(bytes) }
    }
    let header = try result.get()
    var entries: [Entry] = []
    entries.reserveCapacity(header.count)
    var names: Set<String> = []
    for key in header.keys {
      guard let value = header[key] else { continue }
      if key == "__metadata__" {
        metadata = try Self.metadata(value)
        continue
      }
      guard names.insert(key).inserted else {
        throw CheckpointError(.malformed, "stands twice in the header", tensor: key)
      }
      do {
        entries.append(try Entry(key, value))
      } catch {
        throw error.ofTensor(key)
      }
    }
    try locate(entries, in: view[8 + headerByteCount..<view.count])
  }

  private static func headerByteCount(_ view: ByteView) throws(CheckpointError) -> Int {
    guard view.count >= 8 else {
      throw CheckpointError(
        .malformed, "is too short for a safetensors file: \(view.count) bytes")
    }
    let count = view.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    guard count <= UInt64(maximumHeaderByteCount) else {
      throw CheckpointError(
        .malformed,
        "claims a header of \(count) bytes, where at most \(maximumHeaderByteCount) are allowed")
    }
    guard Int(count) <= view.count - 8 else {
      throw CheckpointError(
        .malformed, "claims a header of \(count) bytes, but ends after \(view.count)")
    }
    return Int(count)
  }

  private static func header(
    _ bytes: UnsafeRawBufferPointer
  ) throws(CheckpointError) -> JSONObject {
    let first = bytes.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
    guard first == UInt8(ascii: "{") else {
      throw CheckpointError(.malformed, "the header is no JSON object")
    }
    let value: JSONValue
    do {
      value = try JSONValue.parse(bytes)
    } catch {
      throw CheckpointError(.malformed, "the header is broken: \(error.message)")
    }
    guard let object = value.object else {
      throw CheckpointError(.malformed, "the header is no JSON object")
    }
    return object
  }

  private static func metadata(_ value: JSONValue) throws(CheckpointError) -> [String: String] {
    if value.isNull { return [:] }
    guard let object = value.object else {
      throw CheckpointError(.malformed, "__metadata__ is no JSON object")
    }
    var metadata: [String: String] = [:]
    for key in object.keys {
      guard let text = object[key]?.string else {
        throw CheckpointError(
          .malformed, "the value of \"\(printable(key))\" in __metadata__ is no string")
      }
      metadata[key] = text
    }
    return metadata
  }

  /// Checks that the tensors tile `data` without hole or overlap.
  private mutating func locate(
    _ entries: [Entry], in data: ByteView
  ) throws(CheckpointError) {
    let order = entries.indices.sorted { left, right in
      let (a, b) = (entries[left], entries[right])
      return (a.begin, a.end, left) < (b.begin, b.end, right)
    }
    var position = 0
    tensors.reserveCapacity(entries.count)
    for index in order {
      let entry = entries[index]
      guard entry.begin == position else {
        let what = entry.begin < position ? "overlap the tensor before" : "leave a hole"
        throw CheckpointError(
          .malformed,
          "its bytes \(entry.begin)..<\(entry.end) \(what): \(position) was expected",
          tensor: entry.name)
      }
      guard entry.end <= data.count else {
        throw CheckpointError(
          .malformed,
          "its bytes \(entry.begin)..<\(entry.end) end beyond the data's \(data.count)",
          tensor: entry.name)
      }
      tensors.append(
        TensorRecord(
          name: entry.name, shape: entry.shape, type: .plain(entry.type),
          bytes: data[entry.begin..<entry.end]))
      position = entry.end
    }
    guard position == data.count else {
      throw CheckpointError(
        .malformed, "\(data.count - position) bytes after the last tensor belong to none")
    }
  }
}

/// What a header says of one tensor, checked as far as that goes without the data.
private struct Entry {
  let name: String
  let type: DType
  let shape: [Int]
  let begin: Int
  let end: Int

  init(_ name: String, _ value: JSONValue) throws(CheckpointError) {
    guard value.object != nil else {
      throw CheckpointError(.malformed, "its header entry is no JSON object")
    }
    guard let typeName = value["dtype"]?.string else {
      throw CheckpointError(.malformed, "its dtype is missing or no string")
    }
    guard let type = DType(rawValue: typeName) else {
      throw CheckpointError(.unsupported, "unknown dtype \"\(printable(typeName))\"")
    }
    let shape = try Self.wholeNumbers(value["shape"], "shape")
    let offsets = try Self.wholeNumbers(value["data_offsets"], "data_offsets")
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw CheckpointError(.malformed, "its data_offsets are not [begin, end]")
    }
    let byteCount = try StoredType.plain(type).byteCount(shape: shape)
    guard offsets[1] - offsets[0] == byteCount else {
      throw CheckpointError(
        .malformed,
        "\(typeName) \(shape.prefix(8)) takes \(byteCount) bytes, but its data_offsets span "
          + "\(offsets[1] - offsets[0])")
    }
    self.name = name
    self.type = type
    self.shape = shape
    begin = offsets[0]
    end = offsets[1]
  }

  private static func wholeNumbers(
    _ value: JSONValue?, _ what: String
  ) throws(CheckpointError) -> [Int] {
    guard let elements = value?.array else {
      throw CheckpointError(.malformed, "its \(what) is missing or no array")
    }
    var numbers: [Int] = []
    numbers.reserveCapacity(elements.count)
    for element in elements {
      guard case .integer(let number) = element, number >= 0 else {
        throw CheckpointError(.malformed, "its \(what) holds something else than whole numbers")
      }
      numbers.append(Int(number))
    }
    return numbers
  }
}
