#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Why a file could not be opened or mapped.
public struct FileError: Error, CustomStringConvertible, Sendable {
  /// The path as the caller gave it.
  public let path: String
  /// The reason, in words.
  public let reason: String

  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }

  /// Makes an error from the calling thread's `errno`.
  public static func fromErrno(_ path: String, _ verb: String) -> FileError {
    FileError(path: path, reason: "cannot \(verb): \(String(cString: strerror(errno)))")
  }

  public var description: String { "\(path): \(reason)" }
}

extension Storage {
  /// Maps a regular file read-only. An empty file gives empty storage.
  ///
  /// - Throws: ``FileError`` when the path is missing, unreadable, or no regular file.
  public static func mapping(path: String) throws(FileError) -> Storage {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .fromErrno(path, "open") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .fromErrno(path, "read its status") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      let isFolder = status.st_mode & S_IFMT == S_IFDIR
      throw FileError(
        path: path, reason: isFolder ? "is a folder, not a file" : "is no regular file")
    }
    let byteCount = Int(status.st_size)
    guard byteCount > 0 else { return Storage(byteCount: 0) }
    guard let address = mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0),
      address != MAP_FAILED
    else { throw .fromErrno(path, "map") }
    return Storage(
      base: UnsafeRawPointer(address), byteCount: byteCount, isMapped: true
    ) { pointer, count in
      munmap(UnsafeMutableRawPointer(mutating: pointer), count)
    }
  }
}

extension ByteView {
  /// Lets the system drop the pages of a mapped file that this view covers; they are read again
  /// when touched.
  ///
  /// Keeps the resident memory of a job that streams through a checkpoint independent of the checkpoint's size.
  /// Has no effect on contents. Only call it on views of mapped files: whole pages inside the view are released.
  public func releasePages() {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let start = UInt(bitPattern: storage.base + offset)
    let first = (start + UInt(page) - 1) / UInt(page) * UInt(page)
    let end = (start + UInt(count)) / UInt(page) * UInt(page)
    guard storage.isMapped, end > first else { return }
    madvise(UnsafeMutableRawPointer(bitPattern: first), Int(end - first), MADV_DONTNEED)
  }
}
