import Foundation
import NibbleEvaluation
import NibbleTensors
import TestSupport
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite("Report pages")
struct ReportPageTests {
  private let pool = WorkerPool(threadCount: 2)
  private let grouped = Fixtures.path("models/llama-grouped")

  private func inspectionPage() throws -> String {
    ReportPage(try ModelInspector(pool: pool).inspect(grouped)).html
  }

  private func comparisonPage() throws -> String {
    let copies = ["q8_0", "q4_0"].map { Fixtures.path("inspection/\($0).gguf") }
    return ReportPage(try ModelComparer(pool: pool).compare(copies, against: grouped)).html
  }

  @Test("Pages are well-formed, and every plot has a title and a description")
  func wellFormed() throws {
    for html in [try inspectionPage(), try comparisonPage()] {
      let page = try Page(html)
      #expect(page.count("svg") > 1)
      #expect(page.count("desc") == page.count("svg"))
      // One title of the page and one of each plot.
      #expect(page.count("title") == page.count("svg") + 1)
      #expect(page.count("table") > 2)
      #expect(page.labels.allSatisfy(page.ids.contains))
      #expect(Set(page.ids).count == page.ids.count)
    }
  }

  @Test("Pages load nothing and run nothing")
  func selfContained() throws {
    for html in [try inspectionPage(), try comparisonPage()] {
      for word in ["http", "<script", "src=", "href=", "url(", "@import", "<link", "<img"] {
        #expect(!html.contains(word), "\(word)")
      }
      #expect(html.contains("prefers-color-scheme"))
      #expect(html.contains("width=device-width"))
      #expect(!html.contains("nan") && !html.contains("inf "))
    }
  }

  @Test("Names from files never become markup")
  func escaping() throws {
    let folder = try TemporaryFolder()
    let name = "<script>alert(\"1\")</script>&'\u{1}\u{FFFE}"
    try TestCheckpoint.write(
      [TestCheckpoint.Tensor(name, [2, 2], [1, 2, 3, .nan])], to: folder.path("a.safetensors"))
    let path = folder.path("a.safetensors")
    let pages = [
      ReportPage(try ModelInspector(pool: pool).inspect(path)).html,
      ReportPage(try ModelComparer(pool: pool).compare([path], against: path)).html,
    ]
    for html in pages {
      #expect(!html.contains("<script"))
      #expect(html.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;\u{FFFD}"))
      #expect(try Page(html).text.contains("<script>alert(\"1\")</script>&'"))
    }
  }

  @Test("All bars, curves and points lie within their plots")
  func geometry() throws {
    for html in [try inspectionPage(), try comparisonPage()] {
      let page = try Page(html)
      #expect(page.places.count > 60)
      for place in page.places {
        #expect((-1...481).contains(place.x), "x \(place.x)")
        #expect((-1...place.height + 1).contains(place.y), "y \(place.y)")
      }
    }
  }

  @Test("The comparison shows the bound and every model")
  func comparison() throws {
    let page = try Page(try comparisonPage())
    for text in ["rate-distortion bound", "q8_0.gguf", "q4_0.gguf", "SQNR by block", "Q4_0"] {
      #expect(page.text.contains(text), "\(text)")
    }
    // The bound at 4.5 bits, from 2^(−9).
    #expect(page.text.contains("1.953e-03"))
  }

  @Test("A page appears whole under its name or not at all")
  func writing() throws {
    let folder = try TemporaryFolder()
    let page = ReportPage(try ModelInspector(pool: pool).inspect(grouped))
    try page.write(to: folder.path("page.html"))
    let text = try String(contentsOfFile: folder.path("page.html"), encoding: .utf8)
    #expect(text == page.html)
    #expect(throws: (any Error).self) { try page.write(to: folder.path("no/such/page.html")) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["page.html"])
  }
}

/// A page read back as XML.
private final class Page: NSObject, XMLParserDelegate {
  private(set) var names: [String] = []
  private(set) var ids: [String] = []
  /// What `aria-labelledby` refers to.
  private(set) var labels: [String] = []
  private(set) var text = ""
  /// Coordinates of marks with the height of their plot.
  private(set) var places: [(x: Double, y: Double, height: Double)] = []
  private var height = 0.0

  init(_ html: String) throws {
    super.init()
    let parser = XMLParser(data: Data(html.utf8))
    parser.delegate = self
    guard parser.parse() else { throw parser.parserError ?? CocoaError(.fileReadCorruptFile) }
  }

  func count(_ name: String) -> Int { names.count { $0 == name } }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String]
  ) {
    names.append(name)
    if let id = attributes["id"] { ids.append(id) }
    labels += (attributes["aria-labelledby"] ?? "").split(separator: " ").map(String.init)
    if let box = attributes["viewBox"]?.split(separator: " ").compactMap({ Double($0) }) {
      height = box.count == 4 ? box[3] : 0
    }
    func add(_ x: String?, _ y: String?) {
      guard let x = x.flatMap(Double.init), let y = y.flatMap(Double.init) else { return }
      places.append((x, y, height))
    }
    add(attributes["x"], attributes["y"])
    add(attributes["cx"], attributes["cy"])
    for pair in (attributes["points"] ?? "").split(separator: " ") {
      let parts = pair.split(separator: ",").map(String.init)
      add(parts.first, parts.last)
    }
    if name == "path", let path = attributes["d"], path.contains("L") {
      for pair in path.dropFirst().split(separator: "L") {
        let parts = pair.split(separator: " ").map(String.init)
        add(parts.first, parts.last)
      }
    }
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
}
