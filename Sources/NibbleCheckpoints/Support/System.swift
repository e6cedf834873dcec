internal import NibbleTensors

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// What stands under a path.
enum PathKind { case nothing, file, folder, other }

/// What stands under `path`, links followed.
///
/// - Throws: ``CheckpointError/Code/io`` when the system does not tell.
func pathKind(_ path: String) throws(CheckpointError) -> PathKind {
  var status = stat()
  guard stat(path, &status) == 0 else {
    if errno == ENOENT { return .nothing }
    throw .fromErrno("read the status", path)
  }
  switch status.st_mode & S_IFMT {
  case S_IFREG: return .file
  case S_IFDIR: return .folder
  default: return .other
  }
}

/// Maps the file `path`; pipes and devices are refused before they are opened.
func mapFile(_ path: String) throws(CheckpointError) -> ByteView {
  if try pathKind(path) == .other { throw CheckpointError(.io, "is no regular file", file: path) }
  do {
    return try Storage.mapping(path: path).view
  } catch {
    throw CheckpointError(.io, error.reason, file: path)
  }
}

/// The names in a folder, sorted, without `.` and `..`.
func folderEntries(_ path: String) throws(CheckpointError) -> [String] {
  guard let stream = opendir(path) else { throw .fromErrno("list the folder", path) }
  defer { closedir(stream) }
  var names: [String] = []
  while let entry = readdir(stream) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    if name != "." && name != ".." { names.append(name) }
  }
  return names.sorted()
}

/// `folder/name`, without doubling the slash.
func joined(_ folder: String, _ name: String) -> String {
  folder.hasSuffix("/") ? folder + name : folder + "/" + name
}

/// Splits a path into its folder ("." where it has none) and its last component.
func splitPath(_ path: String) -> (folder: String, name: String) {
  var path = Substring(path)
  while path.count > 1, path.hasSuffix("/") { path.removeLast() }
  guard let slash = path.lastIndex(of: "/") else { return (".", String(path)) }
  let folder = path[..<slash]
  return (folder.isEmpty ? "/" : String(folder), String(path[path.index(after: slash)...]))
}

extension CheckpointError {
  /// Makes an error from the calling thread's `errno`.
  static func fromErrno(_ verb: String, _ path: String) -> CheckpointError {
    CheckpointError(.io, FileError.fromErrno(path, verb).reason, file: path)
  }
}
