internal import Foundation

/// A file that a source offers, with what the source says about its content.
struct RemoteFile: Sendable {
  /// What the content must hash to.
  enum Digest: Sendable, Equatable {
    case sha256(String)
    /// The name of a Git blob: SHA-1 over `blob <size>`, a zero byte and the content.
    case gitBlob(String)
  }

  /// The name under which the file is stored, one path component.
  let name: String
  let url: URL
  var byteCount: Int?
  var digest: Digest?
  /// A bearer token for the server of `url`.
  var token: String?
}

extension RemoteFile.Digest {
  /// A hash that has seen all that comes before the content: a Git blob's name covers the size of
  /// the whole content too.
  func makeHash(byteCount: Int) -> ContentHash {
    switch self {
    case .sha256: return ContentHash(.sha256)
    case .gitBlob:
      var hash = ContentHash(.sha1)
      Array("blob \(byteCount)\u{0}".utf8).withUnsafeBytes { hash.update($0) }
      return hash
    }
  }

  /// The digits that the content must hash to.
  var digits: String {
    switch self {
    case .sha256(let digits), .gitBlob(let digits): digits
    }
  }

  /// Whether the file at `url` has this digest.
  func matches(_ file: URL, byteCount: Int) throws(PullError) -> Bool {
    var hash = makeHash(byteCount: byteCount)
    try hash.update(contentsOf: file)
    return hash.hexadecimalDigest() == digits
  }
}
