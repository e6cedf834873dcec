import Foundation
import Nibble
import Synchronization
import TestSupport

/// Plays the Hugging Face hub: a listing, and files behind a redirect as the real hub serves its
/// large ones.
struct FakeHub {
  static let commit = "0123456789abcdef0123456789abcdef01234567"

  let server: LocalHTTPServer

  /// Starts a hub.
  ///
  /// - Parameters:
  ///   - files: content by path. Those that end in `.safetensors` or `.gguf` are listed with a
  ///     SHA-256, others with the name of their Git blob.
  ///   - revision: the only revision there is.
  ///   - announced: digests to list instead of the true ones, by path.
  ///   - token: the token without which nothing is served.
  ///   - fault: an answer to give instead of the right one, or nil; it also gets the number of
  ///     requests for this path before.
  /// - Throws: when no server can be started.
  init(
    _ files: [String: Data], revision: String = "main", announced: [String: String] = [:],
    token: String? = nil,
    fault: @escaping @Sendable (LocalHTTPServer.Request, Int) -> LocalHTTPServer.Response? = {
      _, _ in nil
    }
  ) throws {
    let listing = Self.listing(files, announced)
    let counts = RequestCounts()
    let encoded = revision.replacingOccurrences(of: "/", with: "%2F")
    server = try LocalHTTPServer { request in
      if let response = fault(request, counts.next(request.path)) { return response }
      if let token, request.headers["authorization"] != "Bearer \(token)",
        !request.path.hasPrefix("/storage/")
      {
        return LocalHTTPServer.Response(401)
      }
      if request.target == "/api/models/org/model/revision/\(encoded)?blobs=true" {
        return LocalHTTPServer.Response(body: Data(listing.text().utf8))
      }
      let resolve = "/org/model/resolve/\(Self.commit)/"
      if request.path.hasPrefix(resolve) {
        return .redirect(to: "/storage/\(request.path.dropFirst(resolve.count))?signed=1")
      }
      if request.path.hasPrefix("/storage/"), let data = files[String(request.path.dropFirst(9))] {
        return .file(data, for: request, entityTag: "\"tag\"")
      }
      return LocalHTTPServer.Response(404)
    }
  }

  /// A puller that asks this hub and does not wait long between attempts.
  func puller(token: String? = nil, attempts: Int = 4) -> Puller {
    Puller(
      endpoint: server.url, token: token,
      retry: RetryPolicy(attempts: attempts, firstPause: 0.01, longestPause: 0.02),
      mayUsePip: false)
  }

  /// How often a file's bytes were asked for, and from where.
  func ranges(of path: String) -> [Int] {
    server.requests.filter { $0.path == "/storage/\(path)" }.map { $0.rangeStart ?? 0 }
  }

  private static func listing(_ files: [String: Data], _ announced: [String: String]) -> JSONValue {
    let siblings = files.keys.sorted().map { path -> JSONValue in
      let data = files[path] ?? Data()
      var entry = JSONObject([
        "rfilename": .string(path), "size": .integer(Int64(data.count)),
      ])
      if path.hasSuffix(".safetensors") || path.hasSuffix(".gguf") {
        let sha256 = announced[path] ?? digest(.sha256, data)
        entry["blobId"] = "0000000000000000000000000000000000000000"
        entry["lfs"] = [
          "sha256": .string(sha256), "size": .integer(Int64(data.count)), "pointerSize": 134,
        ]
      } else {
        let blob = Data("blob \(data.count)\u{0}".utf8) + data
        entry["blobId"] = .string(announced[path] ?? digest(.sha1, blob))
      }
      return .object(entry)
    }
    return ["id": "org/model", "sha": .string(commit), "siblings": .array(siblings)]
  }
}

/// How often each path was asked for.
final class RequestCounts: Sendable {
  private let counts = Mutex<[String: Int]>([:])

  /// The number of earlier calls with `path`.
  func next(_ path: String) -> Int {
    counts.withLock { counts in
      let count = counts[path, default: 0]
      counts[path] = count + 1
      return count
    }
  }
}

/// The digest of `data` in hexadecimal digits.
func digest(_ algorithm: ContentHash.Algorithm, _ data: Data) -> String {
  var hash = ContentHash(algorithm)
  data.withUnsafeBytes { hash.update($0) }
  return hash.hexadecimalDigest()
}

/// `count` bytes that do not repeat soon.
func sampleData(_ count: Int) -> Data {
  Data((0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) })
}

/// The names in a folder, sorted.
func names(in folder: TemporaryFolder) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
}

/// Events of a pull, in order.
final class ProgressLog: Sendable {
  private let storage = Mutex<[PullProgress]>([])
  var events: [PullProgress] { storage.withLock { $0 } }
  func add(_ event: PullProgress) { storage.withLock { $0.append(event) } }
}
