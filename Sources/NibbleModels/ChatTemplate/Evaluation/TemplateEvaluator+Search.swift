/// Searching in text, by bytes of UTF-8, which finds the same as Python's search by characters.
extension TemplateEvaluator {
  /// The offset in bytes of the first `part` in `text` at or after the byte `start`; with
  /// `backwards`, of the last one.
  func find(_ part: String, in text: String, from start: Int = 0, backwards: Bool = false)
    throws(ModelError) -> Int?
  {
    let (part, text) = (Array(part.utf8), Array(text.utf8))
    return try find(part, in: text, from: start, backwards: backwards)
  }

  func find(_ part: [UInt8], in text: [UInt8], from start: Int = 0, backwards: Bool = false)
    throws(ModelError) -> Int?
  {
    guard text.count - start >= part.count else { return nil }
    let positions = start...(text.count - part.count)
    guard let first = part.first else { return backwards ? text.count : start }
    try charge(1 + positions.count / 64)
    var compared = 0
    for offset in positions.indices.lazy.map({ positions[$0] }) {
      let position = backwards ? positions.upperBound - (offset - start) : offset
      guard text[position] == first else { continue }
      var length = 1
      while length < part.count, text[position + length] == part[length] { length += 1 }
      if length == part.count { return position }
      compared += length
      if compared > 1024 {
        try charge(compared / 64)
        compared = 0
      }
    }
    return nil
  }

  /// The offsets in bytes of all `part`s in `text` that do not overlap, at most `limit` of them.
  func occurrences(of part: [UInt8], in text: [UInt8], limit: Int) throws(ModelError) -> [Int] {
    var result: [Int] = []
    var start = 0
    while result.count < limit, let position = try find(part, in: text, from: start) {
      try charge()
      result.append(position)
      start = position + part.count
      if part.isEmpty {
        // The empty text stands before each character and at the end.
        guard start < text.count else { break }
        start += 1
        while start < text.count, text[start] & 0xC0 == 0x80 { start += 1 }
      }
    }
    return result
  }

  /// Python's `text.replace(old, new, limit)`.
  func replace(_ old: String, in text: String, with new: String, limit: Int) throws(ModelError)
    -> String
  {
    let (bytes, oldBytes, newBytes) = (Array(text.utf8), Array(old.utf8), Array(new.utf8))
    let positions = try occurrences(of: oldBytes, in: bytes, limit: limit)
    let (growth, overflow) = positions.count.multipliedReportingOverflow(by: newBytes.count)
    try charge(bytes: overflow ? .max : growth)
    try charge(bytes: bytes.count + growth - positions.count * oldBytes.count)
    var result: [UInt8] = []
    var start = 0
    for position in positions {
      result += bytes[start..<position]
      result += newBytes
      start = position + oldBytes.count
    }
    result += bytes[start...]
    return String(decoding: result, as: UTF8.self)
  }
}
