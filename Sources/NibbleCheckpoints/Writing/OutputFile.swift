internal import Dispatch
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// A new file that is open for writing; closed when released.
///
/// Errors name `reportedPath`, the name that the user knows, and not the temporary one.
package final class OutputFile: Sendable {
  private let descriptor: Int32
  private let reportedPath: String
  /// Bytes written since they were last sent to the disk ahead of ``sync()``.
  private let waiting = Atomic<Int>(0)
  private let isSending = Atomic<Bool>(false)

  /// Creates `path`, which must not exist yet, and locks it for as long as it is open.
  package init(creating path: String, reportedPath: String) throws(CheckpointError) {
    descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    self.reportedPath = reportedPath
    guard descriptor >= 0 else { throw .fromErrno("create", reportedPath) }
    _ = flock(descriptor, LOCK_EX | LOCK_NB)
  }

  /// Opens a file or device that exists.
  package init(existing path: String) throws(CheckpointError) {
    descriptor = open(path, O_WRONLY | O_CLOEXEC)
    reportedPath = path
    guard descriptor >= 0 else { throw .fromErrno("open for writing", path) }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Sets the file's length and reserves the room, so that a disk that is too full shows at once.
  /// Gaps read as zero.
  package func reserve(byteCount: Int) throws(CheckpointError) {
    #if os(Linux)
      if byteCount > 0 {
        let code = posix_fallocate(descriptor, 0, off_t(byteCount))
        guard code == 0 || code == EOPNOTSUPP || code == ENOSYS || code == EINVAL else {
          errno = code
          throw .fromErrno("reserve \(byteCount) bytes", reportedPath)
        }
      }
    #endif
    guard ftruncate(descriptor, off_t(byteCount)) == 0 else {
      throw .fromErrno("reserve \(byteCount) bytes", reportedPath)
    }
  }

  /// Writes all of `bytes` at `offset`; may be called from several threads.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(CheckpointError) {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .fromErrno("write", reportedPath) }
      done += count
    }
    startSending(after: bytes.count)
  }

  /// Sends what was written to the disk while more is made, so that ``sync()`` has little left to do.
  private func startSending(after byteCount: Int) {
    let step = 1 << 24
    guard waiting.add(byteCount, ordering: .relaxed).newValue >= step,
      !isSending.exchange(true, ordering: .acquiringAndReleasing)
    else { return }
    waiting.store(0, ordering: .relaxed)
    DispatchQueue.global().async { [self] in
      // A failure shows again when the file is synced.
      _ = fsync(descriptor)
      isSending.store(false, ordering: .releasing)
    }
  }

  /// Writes all of `bytes` at `offset`.
  package func write(_ bytes: [UInt8], at offset: Int = 0) throws(CheckpointError) {
    let result = bytes.withUnsafeBytes { buffer in
      Result { () throws(CheckpointError) in try write(buffer, at: offset) }
    }
    try result.get()
  }

  /// Waits until the bytes are on the disk.
  package func sync() throws(CheckpointError) {
    guard fsync(descriptor) == 0 else { throw .fromErrno("sync", reportedPath) }
  }
}
