import Foundation
import Nibble
import TestSupport
import Testing

@Suite struct AddressPullTests {
  private static let data = sampleData(50_000)
  private let puller = Puller(retry: RetryPolicy(attempts: 3, firstPause: 0.01))

  private func source(_ server: LocalHTTPServer, _ path: String, sha256: String? = nil) throws
    -> PullSource
  {
    .address(try #require(URL(string: server.address + path)), sha256: sha256)
  }

  @Test func fetchesOneFile() async throws {
    let server = try LocalHTTPServer { .file(Self.data, for: $0) }
    let folder = try TemporaryFolder()
    let files = try await puller.pull(source(server, "/a/my%20model.gguf?k=v"), into: folder.url)
    #expect(files.map(\.lastPathComponent) == ["my model.gguf"])
    #expect(try Data(contentsOf: files[0]) == Self.data)
    #expect(server.requests.map(\.target) == ["/a/my%20model.gguf?k=v"])
  }

  @Test func continuesOnlyTheSameVersion() async throws {
    // The first answer breaks off; afterwards the file on the server is another one.
    let newer = sampleData(60_000).reversed()
    let counts = RequestCounts()
    let server = try LocalHTTPServer { request in
      counts.next("file") == 0
        ? .file(Self.data, for: request, entityTag: "\"one\"", cutAfter: 20_000)
        : .file(Data(newer), for: request, entityTag: "\"two\"")
    }
    let folder = try TemporaryFolder()
    let files = try await puller.pull(source(server, "/m.gguf"), into: folder.url)
    #expect(try Data(contentsOf: files[0]) == Data(newer))
    #expect(server.requests.map { $0.headers["if-range"] } == [nil, "\"one\""])
    #expect(try names(in: folder) == ["m.gguf"])
  }

  @Test func continuesWithAnEntityTag() async throws {
    let counts = RequestCounts()
    let server = try LocalHTTPServer { request in
      .file(
        Self.data, for: request, entityTag: "\"one\"",
        cutAfter: counts.next("file") == 0 ? 20_000 : nil)
    }
    let folder = try TemporaryFolder()
    let files = try await puller.pull(source(server, "/m.gguf"), into: folder.url)
    #expect(try Data(contentsOf: files[0]) == Self.data)
    #expect(server.requests.map(\.rangeStart) == [nil, 20_000])
  }

  @Test func startsAgainWithoutAnEntityTag() async throws {
    let counts = RequestCounts()
    let server = try LocalHTTPServer { request in
      .file(Self.data, for: request, cutAfter: counts.next("file") == 0 ? 20_000 : nil)
    }
    let folder = try TemporaryFolder()
    let files = try await puller.pull(source(server, "/m.gguf"), into: folder.url)
    #expect(try Data(contentsOf: files[0]) == Self.data)
    #expect(server.requests.map(\.rangeStart) == [nil, nil])
  }

  @Test func checksTheDigest() async throws {
    let server = try LocalHTTPServer { .file(Self.data, for: $0) }
    let folder = try TemporaryFolder()
    let right = try source(server, "/m.gguf", sha256: digest(.sha256, Self.data))
    _ = try await puller.pull(right, into: folder.url)
    _ = try await puller.pull(right, into: folder.url)
    #expect(server.requests.count == 1)
    let wrong = try source(server, "/n.gguf", sha256: digest(.sha256, Data()))
    let error = await #expect(throws: PullError.self) {
      try await puller.pull(wrong, into: folder.url)
    }
    #expect(error?.code == .mismatch)
    #expect(try names(in: folder) == ["m.gguf"])
  }

  @Test(arguments: [(404, PullError.Code.notFound), (403, .unauthorized), (418, .refused)])
  func refusals(_ status: Int, _ code: PullError.Code) async throws {
    let server = try LocalHTTPServer { _ in .init(status, body: Data("words".utf8)) }
    let folder = try TemporaryFolder()
    let error = await #expect(throws: PullError.self) {
      try await puller.pull(source(server, "/m.gguf?signature=secret"), into: folder.url)
    }
    #expect(error?.code == code)
    #expect(error?.description.contains("\(status)") == true)
    #expect(error?.description.contains("secret") == false)
    #expect(server.requests.count == 1)
    #expect(try !names(in: folder).contains("m.gguf"))
  }

  @Test func relativeRedirectsKeepTheirSlash() async throws {
    let server = try LocalHTTPServer { request in
      switch request.path {
      case "/m.gguf": .redirect(308, to: "/folder/")
      case "/folder/": .redirect(301, to: "../other?x=/y/")
      default: request.target == "/other?x=/y/" ? .file(Self.data, for: request) : .init(404)
      }
    }
    let folder = try TemporaryFolder()
    let files = try await puller.pull(source(server, "/m.gguf"), into: folder.url)
    #expect(files.map(\.lastPathComponent) == ["m.gguf"])
  }

  @Test func addressWithoutAFileIsRefused() async throws {
    let server = try LocalHTTPServer { .file(Self.data, for: $0) }
    let folder = try TemporaryFolder()
    let error = await #expect(throws: PullError.self) {
      try await puller.pull(source(server, "/"), into: folder.url)
    }
    #expect(error?.code == .badSource)
  }
}
