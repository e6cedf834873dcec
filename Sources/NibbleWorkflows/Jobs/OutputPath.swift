internal import Foundation
internal import NibbleCheckpoints

/// Checks a path that a job is going to write before any work is done.
///
/// A file of an earlier run, which `signature` begins, is replaced; the new one appears in one step when it is whole.
/// Anything else that stands there is left alone unless `replacing`.
///
/// - Throws: ``CheckpointError/Code/io``.
func requireWritableFile(
  _ path: String, source: String, signature: String?, replacing: Bool
) throws(CheckpointError) {
  if isSameFile(path, source) {
    throw CheckpointError(.io, "is the source itself; name another output", file: path)
  }
  var isFolder: ObjCBool = false
  guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return }
  if isFolder.boolValue {
    throw CheckpointError(.io, "is a folder; name a file to write", file: path)
  }
  guard !replacing, let file = FileHandle(forReadingAtPath: path) else { return }
  let start = (try? file.read(upToCount: 4)) ?? Data()
  try? file.close()
  guard start.isEmpty || signature.map({ start == Data($0.utf8) }) ?? false else {
    let kind = signature.map { " and is no \($0) file" } ?? ""
    throw CheckpointError(.io, "exists\(kind); say --force to replace it", file: path)
  }
}
