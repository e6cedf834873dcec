import Foundation
import Nibble
import TestSupport
import Testing

@Suite struct HubPullTests {
  private static let weights = sampleData(100_000)
  private static let repository: [String: Data] = [
    "config.json": Data("{}".utf8), "generation_config.json": Data("{\"a\":1}".utf8),
    "tokenizer.json": sampleData(5000), "tokenizer_config.json": Data("{}".utf8),
    "special_tokens_map.json": Data(), "chat_template.jinja": Data("{{ x }}".utf8),
    "model.safetensors": weights, "model.safetensors.index.json": Data("{}".utf8),
    "README.md": Data("x".utf8), "pytorch_model.bin": Data("x".utf8),
    "onnx/model.safetensors": Data("x".utf8), "consolidated.safetensors": Data("x".utf8),
    "gguf/small.gguf": sampleData(3000), ".gitattributes": Data(),
  ]
  private let source = PullSource.hub(repository: "org/model", revision: "main", file: nil)

  @Test func fetchesTheModelFolder() async throws {
    let (hub, folder, log) = (try FakeHub(Self.repository), try TemporaryFolder(), ProgressLog())
    let files = try await hub.puller().pull(source, into: folder.url) { log.add($0) }
    let expected = [
      "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors",
      "model.safetensors.index.json", "special_tokens_map.json", "tokenizer.json",
      "tokenizer_config.json",
    ]
    #expect(files.map(\.lastPathComponent) == expected)
    #expect(try names(in: folder) == expected)
    for file in files {
      #expect(try Data(contentsOf: file) == Self.repository[file.lastPathComponent])
    }
    #expect(log.events.contains(.finished(file: "model.safetensors", byteCount: 100_000)))
  }

  @Test func secondPullFetchesNothing() async throws {
    let (hub, folder, log) = (try FakeHub(Self.repository), try TemporaryFolder(), ProgressLog())
    _ = try await hub.puller().pull(source, into: folder.url)
    let before = hub.server.requests.count
    _ = try await hub.puller().pull(source, into: folder.url) { log.add($0) }
    #expect(hub.server.requests.count == before + 1)
    #expect(log.events.contains(.present(file: "model.safetensors")))
  }

  @Test func repairsAFileThatWasChanged() async throws {
    let (hub, folder) = (try FakeHub(Self.repository), try TemporaryFolder())
    let path = folder.url.appending(path: "model.safetensors")
    try Data(repeating: 1, count: Self.weights.count).write(to: path)
    _ = try await hub.puller().pull(source, into: folder.url)
    #expect(try Data(contentsOf: path) == Self.weights)
  }

  @Test func asksForTheRevision() async throws {
    let hub = try FakeHub(Self.repository, revision: "refs/pr/7")
    let folder = try TemporaryFolder()
    let file = try await hub.puller().pull(
      .hub(repository: "org/model", revision: "refs/pr/7", file: "gguf/small.gguf"),
      into: folder.url)
    #expect(file.map(\.lastPathComponent) == ["small.gguf"])
    #expect(try names(in: folder) == ["small.gguf"])
    let error = await #expect(throws: PullError.self) {
      try await hub.puller().pull(source, into: folder.url)
    }
    #expect(error?.code == .notFound)
    #expect(
      error?.description == "hf:org/model@main: the hub has no such repository or revision")
  }

  @Test func gatedRepositoryNamesTheToken() async throws {
    let hub = try FakeHub(Self.repository, token: "secret")
    let folder = try TemporaryFolder()
    let error = await #expect(throws: PullError.self) {
      try await hub.puller().pull(source, into: folder.url)
    }
    #expect(error?.code == .unauthorized)
    #expect(error?.description.contains("HF_TOKEN") == true)
    let wrong = await #expect(throws: PullError.self) {
      try await hub.puller(token: "other").pull(source, into: folder.url)
    }
    #expect(wrong?.description.contains("other") == true)
    #expect(wrong?.description.contains("may not read it") == true)
    _ = try await hub.puller(token: "secret").pull(source, into: folder.url)
    #expect(try names(in: folder).count == 8)
  }

  @Test func tokenStaysAtItsOrigin() async throws {
    let storage = try LocalHTTPServer { .file(Self.weights, for: $0) }
    let address = storage.address
    let hub = try FakeHub(["model.safetensors": Self.weights], token: "secret") { request, _ in
      request.path.contains("/resolve/") ? .redirect(307, to: "\(address)/w?s=1") : nil
    }
    let folder = try TemporaryFolder()
    _ = try await hub.puller(token: "secret").pull(source, into: folder.url)
    #expect(storage.requests.count == 1)
    #expect(storage.requests.allSatisfy { $0.headers["authorization"] == nil })
    #expect(hub.server.requests.allSatisfy { $0.headers["authorization"] == "Bearer secret" })
  }

  @Test func endlessRedirectsEnd() async throws {
    let hub = try FakeHub(["model.safetensors": Self.weights]) { request, _ in
      request.path.contains("/resolve/") ? .redirect(to: request.target) : nil
    }
    let folder = try TemporaryFolder()
    let error = await #expect(throws: PullError.self) {
      try await hub.puller().pull(source, into: folder.url)
    }
    #expect(error?.message == "too many redirects")
  }

  @Test(arguments: [
    "{", "{}", "{\"sha\":\"abc\"}", "{\"sha\":\"../x\",\"siblings\":[]}",
    "{\"sha\":\"abc\",\"siblings\":[{}]}",
    "{\"sha\":\"abc\",\"siblings\":[{\"rfilename\":\"../../model.safetensors\"}]}",
    "{\"sha\":\"abc\",\"siblings\":[{\"rfilename\":\"/etc/model.safetensors\"}]}",
  ])
  func refusesBadListings(_ listing: String) async throws {
    let hub = try FakeHub([:]) { _, _ in .init(body: Data(listing.utf8)) }
    let folder = try TemporaryFolder()
    let error = await #expect(throws: PullError.self) {
      try await hub.puller().pull(source, into: folder.url)
    }
    #expect(error?.code == .malformed)
    #expect(try names(in: folder) == [])
  }

  @Test func repositoryWithoutSafetensorsSaysWhatItHas() async throws {
    let folder = try TemporaryFolder()
    let ggufs = try FakeHub(["a.gguf": Data("x".utf8), "b.gguf": Data("y".utf8)])
    let error = await #expect(throws: PullError.self) {
      try await ggufs.puller().pull(source, into: folder.url)
    }
    #expect(
      error?.description
        == "hf:org/model: choose one of its 2 GGUF files, as in hf:org/model/a.gguf")
    let missing = await #expect(throws: PullError.self) {
      try await ggufs.puller().pull(
        .hub(repository: "org/model", revision: "main", file: "c.gguf"), into: folder.url)
    }
    #expect(missing?.description == "hf:org/model: the repository has no file c.gguf")
  }
}
