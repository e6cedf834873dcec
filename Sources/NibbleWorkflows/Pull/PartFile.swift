internal import Foundation
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// The unfinished file of a download: `NAME.part` beside the final name, locked against a second
/// process, hashed as it grows.
final class PartFile: Sendable {
  private struct State: ~Copyable {
    var byteCount: Int
    var hash: ContentHash?
  }

  let path: String
  private let descriptor: Int32
  private let makeHash: @Sendable () -> ContentHash?
  private let state: Mutex<State>

  /// Opens or creates the file and hashes what an earlier run left in it.
  ///
  /// - Throws: ``PullError/Code/io`` when the folder is not writable, or another process downloads
  ///   the same file.
  init(path: String, makeHash: @escaping @Sendable () -> ContentHash?) throws(PullError) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard descriptor >= 0 else { throw Self.fault(path, "cannot be written") }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw PullError(.io, "another process is downloading this file", subject: path)
    }
    self.path = path
    self.descriptor = descriptor
    self.makeHash = makeHash
    state = Mutex(State(byteCount: 0, hash: makeHash()))
    try readExisting()
  }

  deinit { close(descriptor) }

  /// How many bytes are on disk.
  var byteCount: Int { state.withLock { $0.byteCount } }

  /// The digest of all bytes on disk; nil when none was asked for.
  var digest: String? {
    state.withLock { state in
      guard state.hash != nil else { return nil }
      return state.hash?.hexadecimalDigest()
    }
  }

  /// Appends bytes.
  ///
  /// - Throws: ``PullError/Code/diskFull`` or ``PullError/Code/io``.
  func append(_ data: Data) throws(PullError) {
    var failure: Int32 = 0
    state.withLock { state in
      data.withUnsafeBytes { bytes in
        var done = 0
        while done < bytes.count {
          let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
          let count = write(descriptor, rest.baseAddress, rest.count)
          if count < 0 && errno == EINTR { continue }
          guard count > 0 else {
            failure = count < 0 ? errno : EIO
            break
          }
          state.hash?.update(UnsafeRawBufferPointer(rebasing: rest[..<count]))
          state.byteCount += count
          done += count
        }
      }
    }
    if failure != 0 { throw Self.fault(path, "cannot be written", failure) }
  }

  /// Drops all bytes.
  func restart() throws(PullError) {
    guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
      throw Self.fault(path, "cannot be emptied")
    }
    let makeHash = makeHash
    state.withLock { $0 = State(byteCount: 0, hash: makeHash()) }
  }

  /// Makes the bytes durable and moves the file to its final name.
  func finish(as destination: String) throws(PullError) {
    guard fsync(descriptor) == 0 else { throw Self.fault(path, "cannot be flushed to disk") }
    guard rename(path, destination) == 0 else {
      throw Self.fault(destination, "cannot be written")
    }
  }

  /// Removes the file.
  func remove() { unlink(path) }

  /// How many bytes the disk has left for this file; nil where the system does not say.
  var freeByteCount: Int? {
    let folder = URL(filePath: path).deletingLastPathComponent().path
    let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder)
    return (attributes?[.systemFreeSize] as? NSNumber)?.intValue
  }

  private func readExisting() throws(PullError) {
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw Self.fault(path, "cannot be read") }
      if count == 0 { return }
      state.withLock { state in
        state.byteCount += count
        buffer.withUnsafeBytes { bytes in
          state.hash?.update(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        }
      }
    }
  }

  private static func fault(_ path: String, _ verb: String, _ number: Int32 = errno) -> PullError {
    if number == ENOSPC || number == EDQUOT {
      return PullError(.diskFull, "no space left on the disk", subject: path)
    }
    return PullError(.io, "\(verb): \(String(cString: strerror(number)))", subject: path)
  }
}
