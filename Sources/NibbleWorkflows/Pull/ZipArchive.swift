internal import Foundation

/// Reads the directory of a ZIP archive (PKWARE APPNOTE 6.3, with the 64-bit records of section
/// 4.5.3).
///
/// Nothing in the archive is believed: offsets and sizes are checked against the file, names that
/// could leave the target folder refuse the whole archive, and a record that lies about its size or
/// checksum gives an error.
struct ZipArchive {
  /// One file of the archive.
  struct Entry: Sendable {
    /// The path inside the archive.
    let path: String
    /// 0 is stored, 8 is deflated.
    let method: UInt16
    let checksum: UInt32
    let packedByteCount: Int
    let byteCount: Int
    /// Where the record's own header stands.
    let headerOffset: Int

    var isFolder: Bool { path.hasSuffix("/") }
  }

  let file: ZipFile
  let entries: [Entry]

  /// Opens an archive and reads its directory.
  ///
  /// - Throws: ``PullError/Code/malformed`` for anything that contradicts the format,
  ///   ``PullError/Code/unsupported`` for archives in parts and encrypted ones.
  init(_ url: URL) throws(PullError) {
    do throws(PullError) {
      file = try ZipFile(url)
      let end = try Self.findEnd(file)
      entries = try Self.readDirectory(file, end)
    } catch {
      throw error.about(url.path)
    }
  }

  private struct End {
    var entryCount: Int
    var byteCount: Int
    var offset: Int
  }

  private static func damaged(_ reason: String) -> PullError {
    PullError(.malformed, "damaged archive: \(reason)")
  }

  /// Finds the end record, which stands before a comment of at most 65,535 bytes.
  private static func findEnd(_ file: ZipFile) throws(PullError) -> End {
    let count = min(file.byteCount, 22 + 0xFFFF)
    let tailOffset = file.byteCount - count
    let tail = try file.bytes(at: tailOffset, count: count)
    var position = count - 22
    while position >= 0 {
      if tail.u32(position) == 0x0605_4B50, position + 22 + Int(tail.u16(position + 20)) == count {
        break
      }
      position -= 1
    }
    guard position >= 0 else { throw damaged("no directory at its end (cut off, or no ZIP file)") }
    guard tail.u16(position + 4) == 0, tail.u16(position + 6) == 0 else {
      throw PullError(.unsupported, "an archive in several parts")
    }
    let end = End(
      entryCount: Int(tail.u16(position + 10)), byteCount: Int(tail.u32(position + 12)),
      offset: Int(tail.u32(position + 16)))
    let isLarge =
      end.entryCount == 0xFFFF || end.byteCount == 0xFFFF_FFFF || end.offset == 0xFFFF_FFFF
    guard isLarge else { return try checked(end, before: tailOffset + position) }
    return try largeEnd(file, endOffset: tailOffset + position)
  }

  /// Reads the 64-bit end record, to which a locator right before the plain one points.
  private static func largeEnd(_ file: ZipFile, endOffset: Int) throws(PullError) -> End {
    guard endOffset >= 20 else { throw damaged("no 64-bit directory") }
    let locator = try file.bytes(at: endOffset - 20, count: 20)
    guard locator.u32(0) == 0x0706_4B50, let offset = Int(exactly: locator.u64(8)) else {
      throw damaged("no 64-bit directory")
    }
    let record = try file.bytes(at: offset, count: 56)
    guard record.u32(0) == 0x0606_4B50, let entryCount = Int(exactly: record.u64(32)),
      let byteCount = Int(exactly: record.u64(40)), let start = Int(exactly: record.u64(48))
    else { throw damaged("no 64-bit directory") }
    return try checked(
      End(entryCount: entryCount, byteCount: byteCount, offset: start), before: offset)
  }

  private static func checked(_ end: End, before limit: Int) throws(PullError) -> End {
    let (stop, isOver) = end.offset.addingReportingOverflow(end.byteCount)
    guard !isOver, stop <= limit, end.entryCount <= end.byteCount / 46 else {
      throw damaged("its directory is not where it should be")
    }
    guard end.byteCount <= 256 << 20 else {
      throw PullError(.unsupported, "an archive with a directory above 256 MiB")
    }
    return end
  }

  private static func readDirectory(_ file: ZipFile, _ end: End) throws(PullError) -> [Entry] {
    let bytes = try file.bytes(at: end.offset, count: end.byteCount)
    var entries: [Entry] = []
    var position = 0
    for _ in 0..<end.entryCount {
      guard bytes.count - position >= 46, bytes.u32(position) == 0x0201_4B50 else {
        throw damaged("a directory record is missing")
      }
      let nameCount = Int(bytes.u16(position + 28))
      let extraCount = Int(bytes.u16(position + 30))
      let next = position + 46 + nameCount + extraCount + Int(bytes.u16(position + 32))
      guard next <= bytes.count else { throw damaged("a directory record is cut off") }
      entries.append(try entry(bytes, position, nameCount, extraCount, limit: end.offset))
      position = next
    }
    return entries
  }

  private static func entry(
    _ bytes: ZipBytes, _ position: Int, _ nameCount: Int, _ extraCount: Int, limit: Int
  ) throws(PullError) -> Entry {
    let path = try safePath(bytes.slice(position + 46, nameCount))
    guard bytes.u16(position + 8) & 1 == 0 else {
      throw PullError(.unsupported, "\(path) in it is encrypted")
    }
    var packed = UInt64(bytes.u32(position + 20))
    var plain = UInt64(bytes.u32(position + 24))
    var offset = UInt64(bytes.u32(position + 42))
    var extra = position + 46 + nameCount
    let extraEnd = extra + extraCount
    while extraEnd - extra >= 4 {
      let count = Int(bytes.u16(extra + 2))
      guard extra + 4 + count <= extraEnd else { break }
      if bytes.u16(extra) == 1 {
        // Only the fields that overflowed are present, in this order.
        var field = extra + 4
        func wide(_ value: inout UInt64) throws(PullError) {
          guard value == 0xFFFF_FFFF else { return }
          guard field + 8 <= extra + 4 + count else { throw damaged("\(path) lacks its size") }
          value = bytes.u64(field)
          field += 8
        }
        try wide(&plain)
        try wide(&packed)
        try wide(&offset)
      }
      extra += 4 + count
    }
    guard let packed = Int(exactly: packed), let plain = Int(exactly: plain),
      let offset = Int(exactly: offset), offset <= limit, packed <= limit - offset
    else { throw damaged("\(path) does not lie inside it") }
    return Entry(
      path: path, method: bytes.u16(position + 10), checksum: bytes.u32(position + 16),
      packedByteCount: packed, byteCount: plain, headerOffset: offset)
  }

  /// A path that stays inside the folder into which the archive is unpacked.
  private static func safePath(_ name: [UInt8]) throws(PullError) -> String {
    guard let path = String(validating: name, as: UTF8.self) else {
      throw damaged("a name that is not UTF-8")
    }
    var parts = path.split(separator: "/", omittingEmptySubsequences: false)
    if parts.count > 1, parts.last == "" { parts.removeLast() }
    guard parts.allSatisfy({ FileName.isSafe(String($0)) }) else {
      throw PullError(.malformed, "refused: a name in the archive leaves its folder: \(path)")
    }
    return path
  }
}
