import Foundation
import Nibble
import TestSupport

/// Plays a Python package index with the files of one package, `some-model`.
struct FakeIndex {
  /// Which interfaces the index has.
  enum Kind: CaseIterable { case json, simpleJSON, simpleHTML }

  /// A file on offer.
  struct Offer: Sendable {
    var name: String
    var data: Data
    var isYanked = false
    /// The digest to announce; nil for none.
    var sha256: String?

    init(_ name: String, _ data: Data, isYanked: Bool = false) {
      (self.name, self.data, self.isYanked) = (name, data, isYanked)
      sha256 = digest(.sha256, data)
    }
  }

  let server: LocalHTTPServer
  let kind: Kind

  init(
    _ kind: Kind, _ offers: [Offer],
    fault: @escaping @Sendable (LocalHTTPServer.Request, Int) -> LocalHTTPServer.Response? = {
      _, _ in nil
    }
  ) throws {
    let counts = RequestCounts()
    self.kind = kind
    server = try LocalHTTPServer { request in
      if let response = fault(request, counts.next(request.path)) { return response }
      switch (kind, request.path) {
      case (.json, "/pypi/some-model/json"): return .init(body: Self.json(offers))
      case (.simpleJSON, "/simple/some-model/"): return .init(body: Self.simpleJSON(offers))
      case (.simpleHTML, "/simple/some-model/"): return .init(body: Self.simpleHTML(offers))
      default: break
      }
      if let offer = offers.first(where: { "/packages/\($0.name)" == request.path }) {
        return .file(offer.data, for: request)
      }
      return .init(404)
    }
  }

  /// A puller that asks this index and never pip.
  func puller(path: String = "") -> Puller {
    Puller(
      endpoint: URL(string: server.address + path),
      retry: RetryPolicy(attempts: 3, firstPause: 0.01), mayUsePip: false)
  }

  private static func json(_ offers: [Offer]) -> Data {
    var releases = JSONObject()
    for (index, offer) in offers.enumerated() {
      var entry = JSONObject([
        "filename": .string(offer.name), "url": .string("/packages/\(offer.name)"),
        "size": .integer(Int64(offer.data.count)), "yanked": .bool(offer.isYanked),
      ])
      if let sha256 = offer.sha256 { entry["digests"] = ["sha256": .string(sha256)] }
      releases["release \(index)"] = [.object(entry)]
    }
    let root: JSONValue = ["info": ["name": "some-model"], "releases": .object(releases)]
    return Data(root.text().utf8)
  }

  private static func simpleJSON(_ offers: [Offer]) -> Data {
    let files = offers.map { offer -> JSONValue in
      [
        "filename": .string(offer.name), "url": .string("../../packages/\(offer.name)"),
        "hashes": offer.sha256.map { ["sha256": .string($0)] } ?? [:],
        "yanked": offer.isYanked ? "broken" : false,
      ]
    }
    let root: JSONValue = ["meta": ["api-version": "1.0"], "files": .array(files)]
    return Data(root.text().utf8)
  }

  private static func simpleHTML(_ offers: [Offer]) -> Data {
    var page = "<!DOCTYPE html>\n<html><head><title>Links</title></head><body>\n<abbr>x</abbr>\n"
    for offer in offers {
      let fragment = offer.sha256.map { "#sha256=\($0)" } ?? ""
      let yanked = offer.isYanked ? " data-yanked=\"\"" : ""
      page +=
        "<A data-requires-python='&gt;=3.9' HREF=\"../../packages/\(offer.name)\(fragment)\""
        + "\(yanked)>\(offer.name)</a><br/>\n"
    }
    return Data((page + "</body></html>").utf8)
  }
}
