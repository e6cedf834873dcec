/// Reads little-endian values from front to back; never beyond the end.
struct ByteReader {
  private let bytes: UnsafeRawBufferPointer
  private let limit: Int
  private(set) var position = 0

  /// Reads `bytes`, but at most `limit` of them, for headers whose size must stay bounded.
  init(_ bytes: UnsafeRawBufferPointer, limit: Int = .max) {
    self.bytes = bytes
    self.limit = min(limit, bytes.count)
  }

  /// Bytes that may still be read.
  var remainingCount: Int { limit - position }

  /// The next integer.
  mutating func integer<Value: FixedWidthInteger>(
    _: Value.Type, _ what: @autoclosure () -> String
  ) throws(CheckpointError) -> Value {
    let start = try advance(by: MemoryLayout<Value>.size, what())
    return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: Value.self))
  }

  /// The next `count` bytes, valid as long as the reader's bytes are.
  mutating func take(
    _ count: Int, _ what: @autoclosure () -> String
  ) throws(CheckpointError) -> UnsafeRawBufferPointer {
    let start = try advance(by: count, what())
    return UnsafeRawBufferPointer(rebasing: bytes[start..<position])
  }

  /// The next string: a 64-bit byte count and so many bytes of UTF-8.
  mutating func string(_ what: @autoclosure () -> String) throws(CheckpointError) -> String {
    let byteCount = try integer(UInt64.self, "the length of \(what())")
    guard byteCount <= UInt64(remainingCount) else {
      throw shortage("\(what()), which claims \(byteCount) bytes")
    }
    let content = try take(Int(byteCount), what())
    guard let text = String(exactly: content) else {
      throw CheckpointError(.malformed, "\(what()) is not UTF-8")
    }
    return text
  }

  /// The error for a value that does not fit into what is left.
  func shortage(_ what: String) -> CheckpointError {
    limit < bytes.count
      ? CheckpointError(.unsupported, "the header is longer than \(limit) bytes, in \(what)")
      : CheckpointError(.malformed, "the file ends inside \(what)")
  }

  private mutating func advance(
    by count: Int, _ what: @autoclosure () -> String
  ) throws(CheckpointError) -> Int {
    guard count >= 0, count <= remainingCount else { throw shortage(what()) }
    defer { position += count }
    return position
  }
}
