internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// A file or folder that appears under its final name only when it is whole.
///
/// The bytes go to a temporary sibling of the final name. ``commit()`` syncs it and renames it;
/// ``cancel()``, or release without commit, removes it. The temporary is locked while its process
/// lives, so that a later run with the same final name removes what a killed process left.
public final class AtomicOutput: Sendable {
  /// The final path.
  public let path: String
  /// Where the bytes are until ``commit()``.
  public let temporaryPath: String

  private let parent: String
  private let isFolder: Bool
  private let replacesFolder: Bool
  /// The open temporary file, or the temporary folder's descriptor that carries the lock.
  private let holder: Holder

  private enum Holder: Sendable {
    case file(OutputFile)
    case folder(FolderLock)
  }

  /// Prepares to write one file, which may replace a file.
  ///
  /// - Throws: ``CheckpointError/Code/io`` when `path` is a folder or a device, or its folder
  ///   cannot be written.
  public convenience init(file path: String) throws(CheckpointError) {
    try self.init(path: path, isFolder: false, replacesFolder: false)
  }

  /// Prepares to write a folder of files.
  ///
  /// With `replacing`, a folder of plain files may stand under `path`; it is removed when the new
  /// one is whole.
  ///
  /// - Throws: ``CheckpointError/Code/io`` when something else stands there, or its folder cannot
  ///   be written.
  public convenience init(folder path: String, replacing: Bool = false) throws(CheckpointError) {
    try self.init(path: path, isFolder: true, replacesFolder: replacing)
  }

  private init(path: String, isFolder: Bool, replacesFolder: Bool) throws(CheckpointError) {
    let (parent, name) = splitPath(path)
    guard !["", ".", "..", "/"].contains(name), isFolder || !path.hasSuffix("/") else {
      throw CheckpointError(.io, "is no name for a new \(isFolder ? "folder" : "file")", file: path)
    }
    if isFolder {
      try requireReplaceableFolder(path, replacing: replacesFolder)
    } else {
      try requireReplaceableFile(path)
    }
    self.path = path
    self.parent = parent
    self.isFolder = isFolder
    self.replacesFolder = replacesFolder
    removeAbandonedTemporaries(of: name, in: parent)
    temporaryPath = joined(parent, Unfinished.temporaryName(for: name))
    if isFolder {
      guard mkdir(temporaryPath, 0o777) == 0 else { throw .fromErrno("create", path) }
      Unfinished.add(temporaryPath, isFolder: true)
      holder = .folder(FolderLock(temporaryPath))
    } else {
      holder = .file(try OutputFile(creating: temporaryPath, reportedPath: path))
      Unfinished.add(temporaryPath, isFolder: false)
    }
  }

  deinit { cancel() }

  /// Opens the file for writing; `name` is that of a file in a folder output, and ignored
  /// otherwise.
  package func open(_ name: String = "") throws(CheckpointError) -> OutputFile {
    if case .file(let file) = holder { return file }
    guard isPlainFileName(name) else {
      throw CheckpointError(.io, "\"\(printable(name))\" is no file name", file: path)
    }
    return try OutputFile(
      creating: joined(temporaryPath, name), reportedPath: joined(path, name))
  }

  /// Syncs the temporary and gives it its final name.
  ///
  /// - Throws: ``CheckpointError/Code/io``; the temporary is then still there until ``cancel()``.
  public func commit() throws(CheckpointError) {
    if case .file(let file) = holder { try file.sync() } else { try syncFolder(temporaryPath) }
    let result = Unfinished.entries.withLock { entries -> Result<Void, CheckpointError> in
      guard entries[temporaryPath] != nil else {
        return .failure(CheckpointError(.io, "the output was cancelled", file: path))
      }
      return Result { () throws(CheckpointError) in
        try moveIntoPlace()
        entries[temporaryPath] = nil
      }
    }
    try result.get()
    try syncFolder(parent)
  }

  /// Removes the temporary. Has no effect after ``commit()``.
  public func cancel() {
    Unfinished.entries.withLock { entries in
      guard let isFolder = entries.removeValue(forKey: temporaryPath) else { return }
      Unfinished.remove(temporaryPath, isFolder: isFolder)
    }
  }

  /// Removes the temporaries of all outputs of this process that were not committed.
  ///
  /// For an ordinary thread that was told of SIGINT or SIGTERM, just before the process exits; not
  /// for a signal handler itself, since it takes a lock.
  public static func removeAllUnfinished() {
    Unfinished.entries.withLock { entries in
      for (path, isFolder) in entries.sorted(by: { $0.key < $1.key }) {
        Unfinished.remove(path, isFolder: isFolder)
      }
      entries.removeAll()
    }
  }

  private func moveIntoPlace() throws(CheckpointError) {
    guard isFolder else {
      try requireReplaceableFile(path)
      guard rename(temporaryPath, path) == 0 else { throw .fromErrno("give its final name", path) }
      return
    }
    try requireReplaceableFolder(path, replacing: replacesFolder)
    var final = path
    while final.hasSuffix("/") { final.removeLast() }
    if rename(temporaryPath, final) == 0 { return }
    guard replacesFolder, errno == ENOTEMPTY || errno == EEXIST else {
      throw .fromErrno("give its final name", path)
    }
    let old = temporaryPath + ".old"
    guard rename(final, old) == 0 else { throw .fromErrno("move aside", path) }
    guard rename(temporaryPath, final) == 0 else {
      let error = CheckpointError.fromErrno("give its final name", path)
      rename(old, final)
      throw error
    }
    Unfinished.remove(old, isFolder: true)
  }
}

/// Keeps a temporary folder locked while it is being filled.
private final class FolderLock: Sendable {
  private let descriptor: Int32

  init(_ path: String) {
    descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if descriptor >= 0 { _ = flock(descriptor, LOCK_EX | LOCK_NB) }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }
}

/// The temporaries of this process that are not finished.
private enum Unfinished {
  /// From temporary path to whether it is a folder.
  static let entries = Mutex<[String: Bool]>([:])
  private static let serial = Atomic<Int>(0)
  static let suffix = ".nibble-partial"

  static func temporaryName(for name: String) -> String {
    let number = serial.add(1, ordering: .relaxed).newValue
    return prefix(for: name) + "\(getpid()).\(number)" + suffix
  }

  /// Short enough that the whole stays below the 255 bytes of a file name.
  static func prefix(for name: String) -> String {
    var name = name
    while name.utf8.count > 180 { name.removeLast() }
    return ".\(name)."
  }

  static func add(_ path: String, isFolder: Bool) {
    entries.withLock { $0[path] = isFolder }
  }

  /// Removes a file, or a folder that holds only files.
  static func remove(_ path: String, isFolder: Bool) {
    guard isFolder else {
      unlink(path)
      return
    }
    for name in (try? folderEntries(path)) ?? [] { unlink(joined(path, name)) }
    rmdir(path)
  }
}

/// Removes temporaries of the same final name whose processes are gone.
private func removeAbandonedTemporaries(of name: String, in parent: String) {
  let prefix = Unfinished.prefix(for: name)
  for entry in (try? folderEntries(parent)) ?? []
  where entry.hasPrefix(prefix) && entry.hasSuffix(Unfinished.suffix) {
    let path = joined(parent, entry)
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
    guard descriptor >= 0 else { continue }
    defer { close(descriptor) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { continue }
    guard let kind = try? pathKind(path) else { continue }
    Unfinished.remove(path, isFolder: kind == .folder)
  }
}

private func requireReplaceableFile(_ path: String) throws(CheckpointError) {
  switch try pathKind(path) {
  case .nothing, .file: return
  case .folder: throw CheckpointError(.io, "is a folder; name a file to write", file: path)
  case .other: throw CheckpointError(.io, "exists and is no regular file", file: path)
  }
}

private func requireReplaceableFolder(_ path: String, replacing: Bool) throws(CheckpointError) {
  switch try pathKind(path) {
  case .nothing: return
  case .file, .other: throw CheckpointError(.io, "exists and is no folder", file: path)
  case .folder: break
  }
  let entries = try folderEntries(path)
  guard entries.isEmpty || replacing else {
    throw CheckpointError(.io, "the folder exists and is not empty", file: path)
  }
  for entry in entries where try pathKind(joined(path, entry)) == .folder {
    throw CheckpointError(
      .io, "will not be replaced: it holds the folder \"\(printable(entry))\"", file: path)
  }
}

/// Whether `name` names a file of its folder and nothing outside.
func isPlainFileName(_ name: String) -> Bool {
  !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(UInt8(ascii: "/"))
    && !name.utf8.contains(0)
}

private func syncFolder(_ path: String) throws(CheckpointError) {
  let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else { throw .fromErrno("open the folder", path) }
  defer { close(descriptor) }
  // Some file systems cannot sync folders and say so with EINVAL.
  guard fsync(descriptor) == 0 || errno == EINVAL else {
    throw .fromErrno("sync the folder", path)
  }
}
