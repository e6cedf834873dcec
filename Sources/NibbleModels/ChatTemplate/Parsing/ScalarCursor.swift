/// A position in UTF-8 text that moves over whole characters.
struct ScalarCursor {
  /// Valid UTF-8.
  let bytes: [UInt8]
  var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { position >= bytes.count }

  /// The character at `index`, which must be the first byte of one, and how many bytes it takes;
  /// nil at the end.
  func scalar(at index: Int) -> (scalar: Unicode.Scalar, length: Int)? {
    guard index < bytes.count else { return nil }
    let first = bytes[index]
    if first < 0x80 { return (Unicode.Scalar(first), 1) }
    let length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
    guard index + length <= bytes.count else { return nil }
    var value = UInt32(first) & (length == 2 ? 0x1F : length == 3 ? 0x0F : 0x07)
    for offset in 1..<length { value = value << 6 | UInt32(bytes[index + offset] & 0x3F) }
    return Unicode.Scalar(value).map { ($0, length) }
  }

  /// The first position at or after `index` that is not white space.
  func skippingSpace(from index: Int) -> Int {
    var index = index
    while let (scalar, length) = scalar(at: index), PythonSpace.contains(scalar) { index += length }
    return index
  }

  /// The end of `start..<end` without the white space at its end.
  func trimmingSpace(_ start: Int, _ end: Int) -> Int {
    var end = end
    while end > start {
      var first = end - 1
      while first > start, bytes[first] & 0xC0 == 0x80 { first -= 1 }
      guard let (scalar, _) = scalar(at: first), PythonSpace.contains(scalar) else { return end }
      end = first
    }
    return end
  }

  /// Whether `text` stands at `index`.
  func has(_ text: StaticString, at index: Int) -> Bool {
    guard bytes.count - index >= text.utf8CodeUnitCount else { return false }
    for offset in 0..<text.utf8CodeUnitCount where bytes[index + offset] != text.utf8Start[offset] {
      return false
    }
    return true
  }

  func text(_ start: Int, _ end: Int) -> String {
    String(decoding: bytes[start..<end], as: UTF8.self)
  }
}
