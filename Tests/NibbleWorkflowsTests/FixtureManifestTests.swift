import Foundation
import Nibble
import TestSupport
import Testing

/// The list that scripts/make-fixtures.py writes of the files in Tests/Fixtures.
@Suite struct FixtureManifestTests {
  private struct Entry: Decodable {
    let path: String
    /// Nil for files that were written by hand.
    let script: String?
    let sha256: String
  }

  @Test("Every fixture is listed with the script that makes it, and is what that script made")
  func filesAreAsListed() throws {
    let root = URL(filePath: Fixtures.path("MANIFEST.json")).deletingLastPathComponent()
    let entries = try JSONDecoder().decode(
      [Entry].self, from: Data(contentsOf: root.appending(path: "MANIFEST.json")))
    for entry in entries {
      let file = root.appending(path: entry.path)
      #expect(try ContentHash.sha256(ofFile: file) == entry.sha256, "\(entry.path)")
      guard let script = entry.script else { continue }
      let path = root.path + "/../../" + script
      #expect(FileManager.default.fileExists(atPath: path), "\(script)")
    }
    let listed = Set(entries.map(\.path))
    let files = try FileManager.default.subpathsOfDirectory(atPath: root.path).filter { path in
      let isFolder = try root.appending(path: path).resourceValues(forKeys: [.isDirectoryKey])
        .isDirectory
      return isFolder != true && path != "MANIFEST.json"
    }
    #expect(Set(files) == listed)
  }
}
