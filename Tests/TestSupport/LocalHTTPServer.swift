public import Foundation
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// A small HTTP/1.1 server on the loopback interface for tests that play a hub or a package index.
///
/// Each connection carries one request and runs on its own thread. The server stops when the value
/// is released.
public final class LocalHTTPServer: Sendable {
  /// What a client asked for.
  public struct Request: Sendable {
    /// The path with its query, still percent-encoded.
    public let target: String
    /// Header values by lower-case name.
    public let headers: [String: String]

    /// The path without its query.
    public var path: String { String(target.prefix { $0 != "?" }) }

    /// The first byte of an open-ended `Range: bytes=N-`.
    public var rangeStart: Int? {
      guard let text = headers["range"], text.hasPrefix("bytes=") else { return nil }
      return Int(text.dropFirst(6).prefix { $0 != "-" })
    }
  }

  /// What the server answers.
  public struct Response: Sendable {
    public var status: Int
    public var headers: [(name: String, value: String)]
    public var body: Data
    /// The connection is cut after this many bytes of the body.
    public var cutAfter: Int?
    /// Seconds to wait before each tenth of the body.
    public var pause = 0.0

    public init(
      _ status: Int = 200, headers: [(name: String, value: String)] = [], body: Data = Data(),
      cutAfter: Int? = nil
    ) {
      self.status = status
      self.headers = headers
      self.body = body
      self.cutAfter = cutAfter
    }

    /// The whole of `data`, or the part that the request asks for.
    public static func file(
      _ data: Data, for request: Request, entityTag: String? = nil, cutAfter: Int? = nil
    ) -> Response {
      var response = Response(body: data, cutAfter: cutAfter)
      if let entityTag { response.headers.append(("ETag", entityTag)) }
      guard let start = request.rangeStart else { return response }
      if let condition = request.headers["if-range"], condition != entityTag { return response }
      guard start < data.count else {
        return Response(416, headers: [("Content-Range", "bytes */\(data.count)")])
      }
      response.status = 206
      response.body = Data(data[start...])
      response.headers.append(
        ("Content-Range", "bytes \(start)-\(data.count - 1)/\(data.count)"))
      return response
    }

    /// A redirect.
    public static func redirect(_ status: Int = 302, to location: String) -> Response {
      Response(status, headers: [("Location", location)])
    }
  }

  public typealias Handler = @Sendable (Request) -> Response

  /// Why the server could not be started.
  public struct StartError: Error { let step: String }

  public let port: Int
  private let log: RequestLog

  /// The server's address without a slash at its end.
  public var address: String { "http://127.0.0.1:\(port)" }
  /// The server's address; always there.
  public var url: URL? { URL(string: address) }
  /// All requests so far, in the order in which they came.
  public var requests: [Request] { log.entries }

  /// Starts a server whose answers `handler` gives.
  public init(_ handler: @escaping Handler) throws {
    let listener = socket(AF_INET, Self.stream, 0)
    guard listener >= 0 else { throw StartError(step: "socket") }
    var address = Self.loopback(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(listener, address, length) == 0 && listen(listener, 16) == 0
          && getsockname(listener, address, &length) == 0
      }
    }
    guard isBound else {
      close(listener)
      throw StartError(step: "bind")
    }
    let log = RequestLog()
    self.log = log
    port = Int(UInt16(bigEndian: address.sin_port))
    Thread.detachNewThread {
      while true {
        let connection = accept(listener, nil, nil)
        // Only this thread closes the listener: its number may not be given to another while it is
        // waited on.
        guard connection >= 0, !log.isStopped else {
          if connection >= 0 { close(connection) }
          close(listener)
          return
        }
        Thread.detachNewThread {
          Self.serve(connection, handler, log)
          close(connection)
        }
      }
    }
  }

  deinit {
    log.stop()
    // Wakes the thread that waits for connections.
    let waker = socket(AF_INET, Self.stream, 0)
    var address = Self.loopback(port: UInt16(port))
    withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        _ = connect(waker, address, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    close(waker)
  }

  private static func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = port.bigEndian
    return address
  }

  #if canImport(Glibc)
    private static let stream = Int32(SOCK_STREAM.rawValue)
    private static let sendFlags = Int32(MSG_NOSIGNAL)
  #elseif canImport(Musl)
    private static let stream = SOCK_STREAM
    private static let sendFlags = Int32(MSG_NOSIGNAL)
  #else
    private static let stream = SOCK_STREAM
    private static let sendFlags: Int32 = 0
  #endif

  private static func serve(_ connection: Int32, _ handler: Handler, _ log: RequestLog) {
    #if canImport(Darwin)
      var isOn: Int32 = 1
      setsockopt(connection, SOL_SOCKET, SO_NOSIGPIPE, &isOn, socklen_t(MemoryLayout<Int32>.size))
    #endif
    guard let request = readRequest(connection) else { return }
    log.append(request)
    let response = handler(request)
    var head = "HTTP/1.1 \(response.status) Status\r\nConnection: close\r\n"
    head += "Content-Length: \(response.body.count)\r\n"
    for header in response.headers { head += "\(header.name): \(header.value)\r\n" }
    send(connection, Data((head + "\r\n").utf8))
    var rest = response.body.prefix(response.cutAfter ?? response.body.count)
    while response.pause > 0, rest.count > response.body.count / 10 {
      Thread.sleep(forTimeInterval: response.pause)
      send(connection, rest.prefix(response.body.count / 10))
      rest = rest.dropFirst(response.body.count / 10)
    }
    send(connection, rest)
    shutdown(connection, Int32(SHUT_RDWR))
  }

  private static func readRequest(_ connection: Int32) -> Request? {
    var bytes: [UInt8] = []
    var byte: UInt8 = 0
    while bytes.suffix(4) != [13, 10, 13, 10], bytes.count < 65_536 {
      guard recv(connection, &byte, 1, 0) == 1 else { return nil }
      bytes.append(byte)
    }
    let lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
    let words = lines[0].split(separator: " ")
    guard words.count == 3 else { return nil }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
      headers[line[..<colon].lowercased()] = value
    }
    return Request(target: String(words[1]), headers: headers)
  }

  private static func send(_ connection: Int32, _ data: Data) {
    data.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
        #if canImport(Glibc)
          let count = Glibc.send(connection, rest.baseAddress, rest.count, sendFlags)
        #elseif canImport(Musl)
          let count = Musl.send(connection, rest.baseAddress, rest.count, sendFlags)
        #else
          let count = Darwin.send(connection, rest.baseAddress, rest.count, sendFlags)
        #endif
        guard count > 0 else { return }
        done += count
      }
    }
  }
}

private final class RequestLog: Sendable {
  private let storage = Mutex<[LocalHTTPServer.Request]>([])
  private let stopped = Mutex(false)

  var isStopped: Bool { stopped.withLock { $0 } }

  var entries: [LocalHTTPServer.Request] { storage.withLock { $0 } }

  func stop() { stopped.withLock { $0 = true } }

  func append(_ request: LocalHTTPServer.Request) { storage.withLock { $0.append(request) } }
}
