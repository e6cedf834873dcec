import Foundation
import Nibble
import TestSupport
import Testing

@Suite struct DownloadFaultTests {
  private static let weights = sampleData(400_000)
  private static let path = "/storage/model.safetensors"
  private let source = PullSource.hub(repository: "org/model", revision: "main", file: nil)

  @Test func continuesAfterACut() async throws {
    let hub = try FakeHub(["model.safetensors": Self.weights]) { request, count in
      request.path == Self.path && count == 0
        ? .file(Self.weights, for: request, cutAfter: 150_000) : nil
    }
    let (folder, log) = (try TemporaryFolder(), ProgressLog())
    let files = try await hub.puller().pull(source, into: folder.url) { log.add($0) }
    #expect(try Data(contentsOf: files[0]) == Self.weights)
    #expect(hub.ranges(of: "model.safetensors") == [0, 150_000])
    #expect(
      log.events.contains(
        .started(file: "model.safetensors", byteCount: 400_000, resumedAt: 150_000)))
    #expect(try names(in: folder) == ["model.safetensors"])
  }

  @Test func laterRunContinuesWhatAnEarlierOneLeft() async throws {
    let broken = try FakeHub(["model.safetensors": Self.weights]) { request, _ in
      request.path == Self.path
        ? .file(Self.weights.prefix(400_000), for: request, cutAfter: 1000) : nil
    }
    let folder = try TemporaryFolder()
    let error = await #expect(throws: PullError.self) {
      try await broken.puller(attempts: 1).pull(source, into: folder.url)
    }
    #expect(error?.code == .network)
    #expect(try names(in: folder) == ["model.safetensors.part"])
    let hub = try FakeHub(["model.safetensors": Self.weights])
    let files = try await hub.puller().pull(source, into: folder.url)
    #expect(hub.ranges(of: "model.safetensors") == [1000])
    #expect(try Data(contentsOf: files[0]) == Self.weights)
  }

  @Test func partOfAnotherVersionIsThrownAway() async throws {
    let (hub, folder) = (try FakeHub(["model.safetensors": Self.weights]), try TemporaryFolder())
    try Data(repeating: 7, count: 5000).write(
      to: folder.url.appending(path: "model.safetensors.part"))
    let files = try await hub.puller().pull(source, into: folder.url)
    #expect(try Data(contentsOf: files[0]) == Self.weights)
    #expect(hub.ranges(of: "model.safetensors") == [5000, 0])
  }

  @Test func overlongPartIsThrownAway() async throws {
    let (hub, folder) = (try FakeHub(["model.safetensors": Self.weights]), try TemporaryFolder())
    try Data(repeating: 7, count: 500_000).write(
      to: folder.url.appending(path: "model.safetensors.part"))
    let files = try await hub.puller().pull(source, into: folder.url)
    #expect(try Data(contentsOf: files[0]) == Self.weights)
  }

  @Test func serverThatIgnoresRangesIsReadFromTheStart() async throws {
    let hub = try FakeHub(["model.safetensors": Self.weights]) { request, count in
      guard request.path == Self.path else { return nil }
      return .init(body: Self.weights, cutAfter: count == 0 ? 100_000 : nil)
    }
    let folder = try TemporaryFolder()
    let files = try await hub.puller().pull(source, into: folder.url)
    #expect(try Data(contentsOf: files[0]) == Self.weights)
    #expect(hub.ranges(of: "model.safetensors") == [0, 100_000])
  }

  @Test func wrongRangeIsNotBelieved() async throws {
    let hub = try FakeHub(["model.safetensors": Self.weights]) { request, count in
      guard request.path == Self.path, count < 2 else { return nil }
      if count == 0 { return .file(Self.weights, for: request, cutAfter: 100_000) }
      return .init(
        206, headers: [("Content-Range", "bytes 5-399999/400000")],
        body: Data(Self.weights[5...]))
    }
    let folder = try TemporaryFolder()
    let files = try await hub.puller().pull(source, into: folder.url)
    #expect(try Data(contentsOf: files[0]) == Self.weights)
  }

  @Test(arguments: [429, 500, 503])
  func troubledServerIsAskedAgain(_ status: Int) async throws {
    let hub = try FakeHub(["model.safetensors": Self.weights]) { request, count in
      count == 0 ? .init(status, headers: [("Retry-After", "0")]) : nil
    }
    let folder = try TemporaryFolder()
    let files = try await hub.puller().pull(source, into: folder.url)
    #expect(try Data(contentsOf: files[0]) == Self.weights)
  }

  @Test func attemptsAreBounded() async throws {
    let hub = try FakeHub(["model.safetensors": Self.weights]) { request, _ in
      request.path == Self.path ? .init(500) : nil
    }
    let folder = try TemporaryFolder()
    let error = await #expect(throws: PullError.self) {
      try await hub.puller(attempts: 3).pull(source, into: folder.url)
    }
    #expect(error?.code == .server)
    #expect(hub.ranges(of: "model.safetensors").count == 3)
  }

  @Test(arguments: ["model.safetensors", "config.json"])
  func wrongContentLeavesNothing(_ name: String) async throws {
    let wrong = String(repeating: "0", count: name == "config.json" ? 40 : 64)
    let hub = try FakeHub(
      ["model.safetensors": Self.weights, "config.json": Data("{}".utf8)],
      announced: [name: wrong])
    let folder = try TemporaryFolder()
    let error = await #expect(throws: PullError.self) {
      try await hub.puller().pull(source, into: folder.url)
    }
    #expect(error?.code == .mismatch)
    #expect(try !names(in: folder).contains { $0.hasPrefix(name) })
    #expect(hub.ranges(of: name).count == 1)
  }

  @Test func wrongLengthIsRefusedBeforeTheBody() async throws {
    let hub = try FakeHub(["model.safetensors": Self.weights]) { request, _ in
      request.path == Self.path ? .init(body: Data("<html>".utf8)) : nil
    }
    let folder = try TemporaryFolder()
    let error = await #expect(throws: PullError.self) {
      try await hub.puller().pull(source, into: folder.url)
    }
    #expect(error?.code == .mismatch)
    #expect(error?.message == "has 6 bytes on the server, the listing says 400000")
  }

  @Test func nobodyAnswers() async throws {
    let port = try LocalHTTPServer { _ in .init(404) }.port
    let folder = try TemporaryFolder()
    let puller = Puller(
      endpoint: URL(string: "http://127.0.0.1:\(port)"),
      retry: RetryPolicy(attempts: 2, firstPause: 0.01))
    let error = await #expect(throws: PullError.self) {
      try await puller.pull(source, into: folder.url)
    }
    #expect(error?.code == .unreachable)
  }

  @Test func silentServerTimesOut() async throws {
    let server = try LocalHTTPServer { _ in
      Thread.sleep(forTimeInterval: 3)
      return .init(404)
    }
    let folder = try TemporaryFolder()
    let puller = Puller(
      endpoint: server.url, retry: RetryPolicy(attempts: 1), mayUsePip: false, idleLimit: 1)
    let error = await #expect(throws: PullError.self) {
      try await puller.pull(source, into: folder.url)
    }
    #expect(error?.code == .network)
  }

  @Test func slowServerIsNotSilent() async throws {
    let hub = try FakeHub(["model.safetensors": Self.weights]) { request, _ in
      guard request.path == Self.path else { return nil }
      var response = LocalHTTPServer.Response(body: Self.weights)
      response.pause = 0.3
      return response
    }
    let folder = try TemporaryFolder()
    var puller = hub.puller(attempts: 1)
    puller.idleLimit = 1
    let files = try await puller.pull(source, into: folder.url)
    #expect(try Data(contentsOf: files[0]) == Self.weights)
    #expect(hub.ranges(of: "model.safetensors") == [0])
  }

  @Test func twoPullsDoNotShareAPart() async throws {
    let hub = try FakeHub(["model.safetensors": Self.weights]) { request, _ in
      guard request.path == Self.path else { return nil }
      var response = LocalHTTPServer.Response(body: Self.weights)
      response.pause = 0.1
      return response
    }
    let (folder, log) = (try TemporaryFolder(), ProgressLog())
    let first = Task { try await hub.puller().pull(source, into: folder.url) { log.add($0) } }
    for _ in 0..<1000 where log.events.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
    let error = await #expect(throws: PullError.self) {
      try await hub.puller().pull(source, into: folder.url)
    }
    #expect(error?.message == "another process is downloading this file")
    #expect(try Data(contentsOf: try await first.value[0]) == Self.weights)
  }

  @Test func cancellationLeavesThePart() async throws {
    let hub = try FakeHub(["model.safetensors": Self.weights]) { request, _ in
      request.path == Self.path ? .file(Self.weights, for: request, cutAfter: 1000) : nil
    }
    let (folder, log) = (try TemporaryFolder(), ProgressLog())
    let puller = Puller(
      endpoint: hub.server.url, retry: RetryPolicy(attempts: 9, firstPause: 30))
    let pull = Task { try await puller.pull(source, into: folder.url) { log.add($0) } }
    func isWaiting() -> Bool {
      log.events.contains { if case .retrying = $0 { true } else { false } }
    }
    for _ in 0..<1000 where !isWaiting() { try await Task.sleep(for: .milliseconds(10)) }
    pull.cancel()
    let error = await #expect(throws: PullError.self) { try await pull.value }
    #expect(error?.code == .cancelled)
    #expect(try names(in: folder) == ["model.safetensors.part"])
  }

  @Test func folderThatCannotBeMadeIsNamed() async throws {
    let (hub, folder) = (try FakeHub(["model.safetensors": Self.weights]), try TemporaryFolder())
    try Data().write(to: folder.url.appending(path: "file"))
    let error = await #expect(throws: PullError.self) {
      try await hub.puller().pull(source, into: folder.url.appending(path: "file/models"))
    }
    #expect(error?.code == .io)
  }
}
