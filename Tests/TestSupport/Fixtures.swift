internal import Foundation

/// Where the committed fixtures stand.
public enum Fixtures {
  /// The path of a file or folder below `Tests/Fixtures`.
  public static func path(_ name: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures").appending(path: name).path
  }
}
