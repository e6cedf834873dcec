/// Text in columns for a terminal.
struct Table {
  /// A column's title and the side to which its cells lean.
  enum Column {
    case left(String)
    case right(String)

    var title: String {
      switch self {
      case .left(let title), .right(let title): title
      }
    }
  }

  var columns: [Column]
  /// One array for each row, one cell for each column.
  var rows: [[String]] = []

  /// One line for the titles, where any column has one, and one for each row; without a final newline.
  var text: String {
    let titles = columns.map(\.title)
    let lines = (titles.allSatisfy(\.isEmpty) ? [] : [titles]) + rows
    let widths = columns.indices.map { column in
      lines.map { $0[column].count }.max() ?? 0
    }
    return lines.map { line($0, widths) }.joined(separator: "\n")
  }

  private func line(_ cells: [String], _ widths: [Int]) -> String {
    var line = zip(columns, zip(cells, widths)).map { column, part in
      let gap = String(repeating: " ", count: part.1 - part.0.count)
      if case .left = column { return part.0 + gap } else { return gap + part.0 }
    }.joined(separator: "  ")
    while line.hasSuffix(" ") { line.removeLast() }
    return line
  }
}
