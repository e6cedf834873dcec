internal import Foundation

/// The HTML page of a package in a simple index (PEP 503): one anchor a file, its digest in the
/// fragment of its address.
enum SimplePage {
  /// The files that the page links to.
  static func files(_ page: String, at url: URL) -> [PackageFile] {
    var files: [PackageFile] = []
    for tag in anchors(page) {
      guard let reference = tag["href"],
        let target = URL(string: reference, relativeTo: url)?.absoluteURL,
        let name = target.path(percentEncoded: false).split(separator: "/").last
      else { continue }
      var sha256: String?
      if let fragment = target.fragment, fragment.hasPrefix("sha256=") {
        sha256 = ContentHash.normalized(fragment.dropFirst(7))
      }
      var parts = URLComponents(url: target, resolvingAgainstBaseURL: true)
      parts?.fragment = nil
      guard let plain = parts?.url else { continue }
      files.append(
        PackageFile(
          fileName: String(name), url: plain, sha256: sha256, byteCount: nil,
          isYanked: tag["data-yanked"] != nil))
    }
    return files
  }

  /// The attributes of each `<a …>` of the page, names in lower case.
  private static func anchors(_ page: String) -> [[String: String]] {
    let bytes = Array(page.utf8)
    var result: [[String: String]] = []
    var position = 0
    while let start = bytes[position...].firstIndex(of: UInt8(ascii: "<")) {
      position = start + 1
      guard position + 1 < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "a"),
        bytes[position + 1] <= 0x20
      else { continue }
      position += 1
      result.append(attributes(bytes, &position))
    }
    return result
  }

  /// Reads `name`, `name=value`, `name="value"` up to the closing bracket.
  private static func attributes(_ bytes: [UInt8], _ position: inout Int) -> [String: String] {
    let (equals, closing) = (UInt8(ascii: "="), UInt8(ascii: ">"))
    var result: [String: String] = [:]
    func take(while condition: (UInt8) -> Bool) -> String {
      let start = position
      while position < bytes.count, condition(bytes[position]) { position += 1 }
      return String(decoding: bytes[start..<position], as: UTF8.self)
    }
    while position < bytes.count {
      _ = take { $0 <= 0x20 || $0 == UInt8(ascii: "/") }
      guard position < bytes.count, bytes[position] != closing else { break }
      let name = take { $0 > 0x20 && $0 != equals && $0 != closing }
      _ = take { $0 <= 0x20 }
      var value = ""
      if position < bytes.count, bytes[position] == equals {
        position += 1
        _ = take { $0 <= 0x20 }
        guard position < bytes.count else { break }
        let quote = bytes[position]
        if quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
          position += 1
          value = take { $0 != quote }
          position += 1
        } else {
          value = take { $0 > 0x20 && $0 != closing }
        }
      }
      if result[name.lowercased()] == nil { result[name.lowercased()] = unescaped(value) }
    }
    return result
  }

  private static func unescaped(_ text: String) -> String {
    guard text.contains("&") else { return text }
    var result = text
    let entities = [
      ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"),
      ("&amp;", "&"),
    ]
    for (entity, character) in entities {
      result = result.replacingOccurrences(of: entity, with: character)
    }
    return result
  }
}
