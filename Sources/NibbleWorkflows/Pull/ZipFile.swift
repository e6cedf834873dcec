internal import Foundation

/// Bytes of an archive with little-endian reads. Reads past the end are programmer errors: callers
/// check first.
struct ZipBytes {
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var count: Int { bytes.count }

  func u16(_ offset: Int) -> UInt16 { UInt16(bytes[offset]) | UInt16(bytes[offset + 1]) << 8 }
  func u32(_ offset: Int) -> UInt32 { UInt32(u16(offset)) | UInt32(u16(offset + 2)) << 16 }
  func u64(_ offset: Int) -> UInt64 { UInt64(u32(offset)) | UInt64(u32(offset + 4)) << 32 }
  func slice(_ offset: Int, _ count: Int) -> [UInt8] { Array(bytes[offset..<(offset + count)]) }
}

/// An archive on disk that is read in pieces.
struct ZipFile {
  private let handle: FileHandle
  let byteCount: Int

  init(_ url: URL) throws(PullError) {
    do {
      handle = try FileHandle(forReadingFrom: url)
      byteCount = Int(try handle.seekToEnd())
    } catch {
      throw PullError(.io, "cannot be read", subject: url.path)
    }
  }

  /// Exactly `count` bytes from `offset`.
  ///
  /// - Throws: ``PullError/Code/malformed`` when they are not all inside the file.
  func bytes(at offset: Int, count: Int) throws(PullError) -> ZipBytes {
    ZipBytes(Array(try data(at: offset, count: count)))
  }

  /// Exactly `count` bytes from `offset`.
  func data(at offset: Int, count: Int) throws(PullError) -> Data {
    guard offset >= 0, count >= 0, offset <= byteCount, count <= byteCount - offset else {
      throw PullError(.malformed, "damaged archive: it points outside itself")
    }
    do {
      try handle.seek(toOffset: UInt64(offset))
      let data = try handle.read(upToCount: count) ?? Data()
      guard data.count == count else {
        throw PullError(.io, "the archive changed while it was read")
      }
      return data
    } catch let error as PullError {
      throw error
    } catch {
      throw PullError(.io, "the archive cannot be read")
    }
  }
}
