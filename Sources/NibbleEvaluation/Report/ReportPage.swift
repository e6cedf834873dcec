public import NibbleCheckpoints

/// A page that shows a result: one HTML file with its plots inside. It loads nothing, runs no script, follows the reader's
/// light or dark setting and fits a phone.
public struct ReportPage: Sendable {
  /// What the page is about, in a few words.
  public let title: String
  let content: [Markup]

  init(title: String, content: [Markup]) {
    self.title = title
    self.content = content
  }

  /// The page's source, which parses as HTML and as XML.
  public var html: String {
    let head = Markup.tag(
      "head", [:],
      [
        .tag("meta", ["charset": "utf-8"]),
        .tag("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
        .tag("meta", ["name": "color-scheme", "content": "light dark"]),
        .tag("title", [:], title), .tag("style", [:], ReportStyle.sheet),
      ])
    let main = Markup.tag("main", [:], [.tag("h1", [:], title)] + content)
    let page = Markup.tag("html", ["lang": "en"], [head, .tag("body", [:], [main])])
    return "<!DOCTYPE html>\n" + page.source + "\n"
  }

  /// Writes the page; it appears under its name only when it is whole.
  ///
  /// - Throws: ``CheckpointError/Code/io``.
  public func write(to path: String) throws(CheckpointError) {
    let output = try AtomicOutput(file: path)
    do {
      try output.open().write(Array(html.utf8))
      try output.commit()
    } catch {
      output.cancel()
      throw error
    }
  }

  /// A part of a page under a heading.
  static func section(_ heading: String, _ content: [Markup]) -> Markup {
    .tag("section", [:], [.tag("h2", [:], heading)] + content)
  }

  /// A table that scrolls by itself where the screen is too narrow.
  ///
  /// - Parameters:
  ///   - titles: the columns.
  ///   - rows: a cell for each column; the first names the row.
  /// - Returns: the table.
  static func table(_ titles: [String], _ rows: [[String]]) -> Markup {
    let head = Markup.tag(
      "tr", [:], titles.map { .tag("th", ["scope": "col"], $0) })
    let body = rows.map { row in
      Markup.tag(
        "tr", [:],
        row.enumerated().map { index, cell in
          index == 0 ? .tag("th", ["scope": "row"], cell) : .tag("td", [:], cell)
        })
    }
    let table = Markup.tag(
      "table", [:], [.tag("thead", [:], [head]), .tag("tbody", [:], body)])
    return .tag("div", ["class": "scroll", "tabindex": "0"], [table])
  }

  /// A table behind a line that opens it.
  static func folded(_ summary: String, _ table: Markup) -> Markup {
    .tag("details", [:], [.tag("summary", [:], summary), table])
  }

  /// A paragraph.
  static func paragraph(_ text: String) -> Markup { .tag("p", [:], text) }
}
