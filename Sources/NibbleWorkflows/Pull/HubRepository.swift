internal import Foundation
internal import NibbleCheckpoints

/// A repository of the Hugging Face hub, or of a server that speaks its API.
///
/// The listing is `GET /api/models/<repository>/revision/<revision>?blobs=true`; files are at
/// `/<repository>/resolve/<commit>/<path>`.
struct HubRepository {
  let name: String
  let revision: String
  let endpoint: URL
  let token: String?
  let client: HTTPClient
  let retry: RetryPolicy

  /// What the hub lists at one commit.
  struct Listing: Sendable {
    let commit: String
    let files: [File]
  }

  /// One file of a listing.
  struct File: Sendable {
    let path: String
    let byteCount: Int?
    let digest: RemoteFile.Digest?
  }

  /// Asks the hub which files the revision has.
  ///
  /// - Throws: ``PullError`` that names the repository; with 401 and 403 it says how to give a
  ///   token.
  func listing() async throws(PullError) -> Listing {
    let revision = WebAddress.encoded(revision)
    let text = "\(WebAddress.base(endpoint))/api/models/\(name)/revision/\(revision)?blobs=true"
    guard let url = URL(string: text) else {
      throw PullError(.badSource, "not a valid address", subject: text)
    }
    do throws(PullError) {
      let request = HTTPRequest(url: url, headers: [("Accept", "application/json")], token: token)
      let body = try await client.patientDocument(request, retry)
      return try Self.read(body)
    } catch {
      throw explained(error)
    }
  }

  /// The files to download: those of `chosen`, or of the model folder.
  func remoteFiles(_ listing: Listing, only chosen: String?) throws(PullError) -> [RemoteFile] {
    let files: [File]
    if let chosen {
      files = listing.files.filter { $0.path == chosen }
      if files.isEmpty {
        throw PullError(.notFound, "the repository has no file \(chosen)", subject: "hf:\(name)")
      }
    } else {
      files = try folderFiles(listing)
    }
    var result: [RemoteFile] = []
    for file in files {
      let path = file.path.split(separator: "/").map { WebAddress.encoded(String($0)) }
      let text =
        "\(WebAddress.base(endpoint))/\(name)/resolve/\(WebAddress.encoded(listing.commit))/"
        + path.joined(separator: "/")
      guard let url = URL(string: text) else {
        throw PullError(.malformed, "an odd file name in the listing", subject: "hf:\(name)")
      }
      result.append(
        RemoteFile(
          name: FileName.last(file.path), url: url, byteCount: file.byteCount,
          digest: file.digest, token: token))
    }
    return result
  }

  /// The error with what a reader needs to know about repositories and tokens.
  func explained(_ error: PullError) -> PullError {
    let subject = "hf:\(name)@\(revision)"
    switch error.code {
    case .unauthorized:
      let advice =
        token == nil
        ? "set the environment variable HF_TOKEN to a token of an account that may read it"
        : "the token in HF_TOKEN may not read it; accept its terms on the hub or use another token"
      return PullError(
        .unauthorized, "gated, private or misspelt (\(error.message)); \(advice)", subject: subject)
    case .notFound where error.subject != "hf:\(name)":
      return PullError(.notFound, "the hub has no such repository or revision", subject: subject)
    default: return error.about(subject)
    }
  }

  /// The safetensors weights, configuration and tokenizer at the top of the repository.
  private func folderFiles(_ listing: Listing) throws(PullError) -> [File] {
    let top = listing.files.filter { FileName.isFolderFile($0.path) }
    let weights = top.filter { $0.path.hasSuffix(".safetensors") }
    guard !weights.isEmpty else {
      let ggufs = listing.files.map(\.path).filter { $0.hasSuffix(".gguf") }
      let advice =
        ggufs.first.map { "choose one of its \(ggufs.count) GGUF files, as in hf:\(name)/\($0)" }
        ?? "it has no .safetensors weights that Nibble reads"
      throw PullError(.unsupported, advice, subject: "hf:\(name)")
    }
    // Some repositories hold the weights twice, under the library's names and under the trainer's
    // own.
    let hasUsual = weights.contains { $0.path.hasPrefix("model") }
    return top.filter { file in
      !file.path.hasSuffix(".safetensors") || !hasUsual || file.path.hasPrefix("model")
    }
  }

  private static func read(_ body: [UInt8]) throws(PullError) -> Listing {
    let root: JSONValue
    do throws(CheckpointError) { root = try JSONValue.parse(body) } catch {
      throw PullError(.malformed, "the hub's listing cannot be read: \(error.message)")
    }
    guard let commit = root["sha"]?.string, !commit.isEmpty, FileName.isSafe(commit),
      let siblings = root["siblings"]?.array
    else { throw PullError(.malformed, "the hub's listing lacks its commit or its files") }
    var files: [File] = []
    for sibling in siblings {
      guard let path = sibling["rfilename"]?.string else {
        throw PullError(.malformed, "the hub's listing has a file without a name")
      }
      let parts = path.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.allSatisfy({ FileName.isSafe(String($0)) }) else {
        throw PullError(.malformed, "the hub's listing has an unsafe file name: \(path)")
      }
      files.append(file(path, sibling))
    }
    return Listing(commit: commit, files: files.sorted { $0.path < $1.path })
  }

  private static func file(_ path: String, _ sibling: JSONValue) -> File {
    let large = sibling["lfs"]
    let byteCount = (large?["size"] ?? sibling["size"])?.integer
    var digest: RemoteFile.Digest?
    if let text = large?["sha256"]?.string, let sha256 = ContentHash.normalized(text) {
      digest = .sha256(sha256)
    } else if large == nil || large?.isNull == true, byteCount != nil {
      digest = sibling["blobId"]?.string.map { .gitBlob($0.lowercased()) }
    }
    return File(path: path, byteCount: byteCount.flatMap { $0 < 0 ? nil : $0 }, digest: digest)
  }
}
