/// Bars one below the other, each with its name and its value in words, as an SVG figure.
struct BarList {
  struct Bar {
    var name: String
    /// The bar's length; not negative.
    var value: Double
    /// The value in words.
    var text: String
    /// The colour's index.
    var color = 0
  }

  var title: String
  /// What the bars show, for readers who cannot see them.
  var description: String
  /// What a bar's length means, with its unit.
  var axisTitle: String
  var bars: [Bar]
  /// What the colours mean, by index; empty where there is but one.
  var legend: [String] = []
  var caption: String?

  private static let width = 480
  private static let left = 148
  private static let right = 96
  private static let step = 24
  private static let legendStep = 20

  /// The bars as a figure with its caption.
  func figure(id: String) -> Markup {
    let top = max(bars.map(\.value).filter(\.isFinite).max() ?? 0, .leastNonzeroMagnitude)
    let rows = bars.enumerated().flatMap { index, bar -> [Markup] in
      let y = index * Self.step + legend.count * Self.legendStep + 4
      let share = bar.value.isFinite ? min(max(bar.value / top, 0), 1) : 0
      let length = Int(share * Double(Self.width - Self.left - Self.right))
      return [
        .tag("text", ["x": "\(Self.left - 8)", "y": "\(y + 13)", "text-anchor": "end"], bar.name),
        .tag(
          "rect",
          [
            "class": "fill bar c\(bar.color % ReportStyle.seriesCount)", "x": "\(Self.left)",
            "y": "\(y)", "width": "\(max(length, 1))", "height": "17", "rx": "2",
          ]),
        .tag(
          "text", ["class": "soft", "x": "\(Self.left + length + 6)", "y": "\(y + 13)"], bar.text),
      ]
    }
    let height = bars.count * Self.step + legend.count * Self.legendStep + 30
    let axis = Markup.tag(
      "text",
      [
        "x": "\((Self.left + Self.width - Self.right) / 2)", "y": "\(height - 8)",
        "text-anchor": "middle",
      ], axisTitle)
    let drawing = Markup.tag(
      "svg",
      [
        "viewBox": "0 0 \(Self.width) \(height)", "role": "img",
        "aria-labelledby": "\(id)-title \(id)-desc",
      ],
      [
        .tag("title", ["id": "\(id)-title"], title),
        .tag("desc", ["id": "\(id)-desc"], description), .tag("g", [:], rows + keys), axis,
      ])
    let text = caption.map { "\(title). \($0)" } ?? title
    return .tag("figure", [:], [.tag("figcaption", [:], text), drawing])
  }

  /// One line for each colour.
  private var keys: [Markup] {
    legend.enumerated().flatMap { index, name -> [Markup] in
      let y = index * Self.legendStep
      return [
        .tag(
          "rect",
          [
            "class": "fill bar c\(index % ReportStyle.seriesCount)", "x": "\(Self.left)",
            "y": "\(y + 3)", "width": "18", "height": "11",
          ]), .tag("text", ["x": "\(Self.left + 24)", "y": "\(y + 13)"], name),
      ]
    }
  }
}
