/// Reads the fields of one protobuf message, front to back; never beyond its end.
///
/// Only the wire format is known here: a field is its number and a value of one of four shapes (proto3 encoding,
/// "Message structure"). Groups, which nothing has written for long, are refused.
struct ProtobufReader {
  /// A field's value as the wire has it.
  enum Value {
    case varint(UInt64)
    case fixed64(UInt64)
    case bytes(Range<Int>)
    case fixed32(UInt32)
  }

  private let bytes: [UInt8]
  private var place: Int
  private let end: Int

  /// - Parameters:
  ///   - bytes: what holds the message.
  ///   - range: where the message stands; nil for all of `bytes`.
  init(_ bytes: [UInt8], in range: Range<Int>? = nil) {
    self.bytes = bytes
    let range = range ?? bytes.startIndex..<bytes.endIndex
    place = range.lowerBound
    end = range.upperBound
  }

  /// The next field; nil at the end of the message.
  ///
  /// - Throws: ``ModelError/Code/tokenizer`` for what is no protobuf message, with the position.
  mutating func next() throws(ModelError) -> (number: Int, value: Value)? {
    guard place < end else { return nil }
    let key = try varint()
    guard let number = Int(exactly: key >> 3), number > 0 else {
      throw fault("a field without a number")
    }
    switch key & 7 {
    case 0: return (number, .varint(try varint()))
    case 1: return (number, .fixed64(try fixed(8)))
    case 2:
      let count = try varint()
      guard count <= UInt64(end - place) else {
        throw fault("a field of \(count) bytes where \(end - place) are left")
      }
      let start = place
      place += Int(count)
      return (number, .bytes(start..<place))
    case 5: return (number, .fixed32(UInt32(truncatingIfNeeded: try fixed(4))))
    case let type: throw fault("the wire type \(type)")
    }
  }

  private mutating func varint() throws(ModelError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard place < end else { throw fault("an end inside a number") }
      let byte = bytes[place]
      place += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    throw fault("a number longer than ten bytes")
  }

  private mutating func fixed(_ count: Int) throws(ModelError) -> UInt64 {
    guard end - place >= count else { throw fault("an end inside a number") }
    var value: UInt64 = 0
    for offset in (0..<count).reversed() { value = value << 8 | UInt64(bytes[place + offset]) }
    place += count
    return value
  }

  private func fault(_ reason: String) -> ModelError {
    ModelError(.tokenizer, "not a protobuf message: \(reason) at byte \(place)")
  }
}
