internal import Foundation
internal import NibbleCheckpoints
internal import NibbleTensors

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// A folder of a few files that one process at a time uses; each file appears under its name only when it is whole.
///
/// The folder is locked while the value lives. A process that is killed loses the lock and leaves its whole files.
final class JournalFolder {
  let path: String
  private let descriptor: Int32

  /// Makes the folder where it is missing, and locks it.
  ///
  /// - Parameters:
  ///   - path: the folder; its parent exists.
  ///   - owner: what the folder is for, to name in errors.
  /// - Throws: `FileError` when the folder cannot be made, or another process has it.
  init(_ path: String, for owner: String) throws(FileError) {
    self.path = path
    for _ in 0..<100 {
      guard mkdir(path, 0o777) == 0 || errno == EEXIST else {
        throw .fromErrno(path, "create the journal")
      }
      let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard descriptor >= 0 else {
        if errno == ENOENT { continue }
        throw .fromErrno(path, "open the journal")
      }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
        close(descriptor)
        throw FileError(path: owner, reason: "another process is making this output")
      }
      if Self.stands(descriptor, under: path) {
        self.descriptor = descriptor
        return
      }
      // The process that had the lock has removed the folder.
      close(descriptor)
    }
    throw FileError(path: path, reason: "the journal comes and goes")
  }

  deinit { close(descriptor) }

  private static func stands(_ descriptor: Int32, under path: String) -> Bool {
    var held = stat()
    var named = stat()
    guard fstat(descriptor, &held) == 0, stat(path, &named) == 0 else { return false }
    return held.st_ino == named.st_ino && held.st_dev == named.st_dev
  }

  /// The path of the file `name`.
  func file(_ name: String) -> String { path + "/" + name }

  /// The names of all files, sorted.
  var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }

  /// Writes a small file.
  func write(_ bytes: [UInt8], to name: String) throws(CheckpointError) {
    let output = try AtomicOutput(file: file(name))
    try output.open().write(bytes)
    try output.commit()
  }

  /// Removes files.
  func remove(_ names: [String]) {
    for name in names { unlink(file(name)) }
  }

  /// Removes the folder, unless something is left in it.
  func remove() { rmdir(path) }
}
