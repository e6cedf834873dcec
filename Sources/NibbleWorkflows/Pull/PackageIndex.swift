internal import Foundation
internal import NibbleCheckpoints

/// One downloadable file of a Python package.
struct PackageFile: Sendable {
  let fileName: String
  let url: URL
  let sha256: String?
  let byteCount: Int?
  /// Withdrawn by its author: only taken when its version is asked for.
  let isYanked: Bool

  /// The version in the name of a wheel (`name-version(-build)?-python-abi-platform.whl`); nil for
  /// other files.
  var wheelVersion: PackageVersion? {
    guard fileName.hasSuffix(".whl"), FileName.isSafe(fileName) else { return nil }
    let parts = fileName.dropLast(4).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 5 || parts.count == 6 else { return nil }
    return PackageVersion(String(parts[1]))
  }

  /// Whether the wheel is for every platform and Python 3.
  var isUniversal: Bool {
    fileName.hasSuffix("-py3-none-any.whl") || fileName.hasSuffix("-py2.py3-none-any.whl")
  }
}

/// A Python package index: PyPI's own JSON interface, or the simple index that mirrors have (PEP
/// 503 and PEP 691).
struct PackageIndex {
  let endpoint: URL
  let client: HTTPClient
  let retry: RetryPolicy

  /// All files of a package.
  ///
  /// An endpoint that ends in `simple` is a simple index. Otherwise its JSON interface is asked
  /// first, then its simple index.
  func files(of name: String) async throws(PullError) -> [PackageFile] {
    let base = WebAddress.base(endpoint)
    let project = Self.normalized(name)
    if base.hasSuffix("simple") { return try await simple("\(base)/\(project)/") }
    do throws(PullError) {
      return try await json("\(base)/pypi/\(project)/json")
    } catch {
      guard error.code == .notFound || error.code == .refused || error.code == .malformed else {
        throw error
      }
    }
    return try await simple("\(base)/simple/\(project)/")
  }

  /// The wheel to take: the newest version, or `version`; a universal wheel before one for a
  /// platform.
  static func choose(_ files: [PackageFile], package: String, version: String?)
    throws(PullError) -> PackageFile
  {
    let wanted = version.flatMap { PackageVersion($0) }
    var wheels: [(version: PackageVersion, file: PackageFile)] = []
    for file in files {
      guard let found = file.wheelVersion else { continue }
      if let wanted {
        if found == wanted { wheels.append((found, file)) }
      } else if !file.isYanked {
        wheels.append((found, file))
      }
    }
    if wanted == nil, wheels.contains(where: { !$0.version.isPrerelease }) {
      wheels.removeAll { $0.version.isPrerelease }
    }
    let best = wheels.max { left, right in
      if left.version != right.version { return left.version < right.version }
      if left.file.isUniversal != right.file.isUniversal { return right.file.isUniversal }
      return left.file.fileName > right.file.fileName
    }
    guard let best else {
      let which = version.map { "version \($0)" } ?? "any version"
      throw PullError(.notFound, "the index has no wheel of \(which)", subject: "pypi:\(package)")
    }
    return best.file
  }

  /// The name as indexes spell it (PEP 503): lower case, one dash for each run of `-`, `_` and `.`.
  static func normalized(_ name: String) -> String {
    name.lowercased().split { "-_.".contains($0) }.joined(separator: "-")
  }

  private func json(_ text: String) async throws(PullError) -> [PackageFile] {
    guard let url = URL(string: text) else { throw PullError(.badSource, "not a valid address") }
    let request = HTTPRequest(url: url, headers: [("Accept", "application/json")])
    let root = try Self.parsed(await client.patientDocument(request, retry))
    guard let releases = root["releases"]?.object ?? root["urls"].map({ JSONObject(["": $0]) })
    else {
      throw PullError(.malformed, "the index lists no releases", subject: text)
    }
    var files: [PackageFile] = []
    for release in releases.keys {
      for entry in releases[release]?.array ?? [] {
        guard let name = entry["filename"]?.string,
          let address = entry["url"]?.string,
          let url = URL(string: address, relativeTo: url)?.absoluteURL
        else { continue }
        let sha256 = entry["digests"]?["sha256"]?.string
        files.append(
          PackageFile(
            fileName: name, url: url, sha256: sha256.flatMap { ContentHash.normalized($0) },
            byteCount: Self.count(entry["size"]),
            isYanked: entry["yanked"]?.bool ?? false))
      }
    }
    return files
  }

  private func simple(_ text: String) async throws(PullError) -> [PackageFile] {
    guard let url = URL(string: text) else { throw PullError(.badSource, "not a valid address") }
    let accepted = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
    let request = HTTPRequest(url: url, headers: [("Accept", accepted)])
    let body = try await client.patientDocument(request, retry)
    let first = body.first { $0 > 0x20 }
    if first != UInt8(ascii: "{") {
      return SimplePage.files(String(decoding: body, as: UTF8.self), at: url)
    }
    var files: [PackageFile] = []
    for entry in try Self.parsed(body)["files"]?.array ?? [] {
      guard let name = entry["filename"]?.string, let address = entry["url"]?.string,
        let url = URL(string: address, relativeTo: url)?.absoluteURL
      else { continue }
      let sha256 = entry["hashes"]?["sha256"]?.string
      let yanked = entry["yanked"] ?? false
      files.append(
        PackageFile(
          fileName: name, url: url, sha256: sha256.flatMap { ContentHash.normalized($0) },
          byteCount: Self.count(entry["size"]),
          isYanked: yanked.bool ?? (yanked.string != nil)))
    }
    return files
  }

  private static func parsed(_ body: [UInt8]) throws(PullError) -> JSONValue {
    do throws(CheckpointError) { return try JSONValue.parse(body) } catch {
      throw PullError(.malformed, "the index's answer cannot be read: \(error.message)")
    }
  }

  private static func count(_ value: JSONValue?) -> Int? {
    value?.integer.flatMap { $0 >= 0 ? $0 : nil }
  }
}
