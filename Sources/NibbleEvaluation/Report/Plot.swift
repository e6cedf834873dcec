/// A plot of lines, bands, bars and points over two axes, as an SVG figure.
struct Plot {
  /// One set of data. Colours follow the place among the series.
  struct Series {
    enum Shape {
      /// Points joined by lines; gaps where a value is missing.
      case line([(x: Double, y: Double?)], isDashed: Bool)
      /// The area between two values at each place.
      case band([(x: Double, low: Double, high: Double)])
      /// A rectangle of a width in x units around each place, from the axis up.
      case bars([(x: Double, y: Double)], width: Double)
      /// Points with a label beside each.
      case points([(x: Double, y: Double, label: String)])
    }

    var name: String
    var shape: Shape
    /// The colour's index; nil for the neutral colour of references.
    var color: Int?

    init(_ name: String, color: Int?, _ shape: Shape) {
      self.name = name
      self.color = color
      self.shape = shape
    }

    var colorClass: String { color.map { "c\($0 % ReportStyle.seriesCount)" } ?? "neutral" }
  }

  var title: String
  /// What the plot shows, for readers who cannot see it.
  var description: String
  var x: PlotAxis
  var y: PlotAxis
  var series: [Series]
  var caption: String?

  // A phone shows the drawing at three quarters of this width, with text that can still be read.
  private static let width = 480.0
  private static let height = 270.0
  private static let left = 64.0
  private static let right = 16.0
  private static let bottom = 46.0
  /// A letter's width, on average.
  private static let letterWidth = 7.6
  /// Height of one line of the legend.
  private static let legendLine = 18.0

  /// Places of the legend's entries, and its number of lines.
  private var legend: (places: [(x: Double, line: Int)], lineCount: Int) {
    var places: [(x: Double, line: Int)] = []
    var (x, line) = (Self.left, 0)
    for one in series {
      let width = 40 + Self.letterWidth * Double(one.name.count)
      if x + width > Self.width - Self.right, x > Self.left { (x, line) = (Self.left, line + 1) }
      places.append((x, line))
      x += width
    }
    return (places, line + 1)
  }

  private var top: Double { Double(legend.lineCount) * Self.legendLine + 12 }

  /// The plot as a figure with its caption.
  func figure(id: String) -> Markup {
    let height = Self.height + Double(legend.lineCount - 1) * Self.legendLine
    let drawing = Markup.tag(
      "svg",
      [
        "viewBox": "0 0 \(number(Self.width)) \(number(height))", "role": "img",
        "aria-labelledby": "\(id)-title \(id)-desc",
      ],
      [
        .tag("title", ["id": "\(id)-title"], title),
        .tag("desc", ["id": "\(id)-desc"], description),
        grid(height), .tag("g", [:], series.flatMap { marks($0, height) } + labels(height)),
        legendMarkup,
      ])
    let text = caption.map { "\(title). \($0)" } ?? title
    return .tag("figure", [:], [.tag("figcaption", [:], text), drawing])
  }

  // MARK: Places

  private func px(_ value: Double) -> Double {
    Self.left + x.place(value) * (Self.width - Self.left - Self.right)
  }

  private func py(_ value: Double, _ height: Double) -> Double {
    height - Self.bottom - y.place(value) * (height - Self.bottom - top)
  }

  // MARK: Axes and legend

  private func grid(_ height: Double) -> Markup {
    let floor = height - Self.bottom
    var parts: [Markup] = []
    for tick in y.ticks {
      let place = number(py(tick, height))
      parts.append(
        .tag(
          "line",
          [
            "class": "rule", "x1": number(Self.left), "x2": number(Self.width - Self.right),
            "y1": place, "y2": place,
          ]))
      parts.append(
        .tag(
          "text",
          [
            "class": "soft", "x": number(Self.left - 6), "y": number(py(tick, height) + 4),
            "text-anchor": "end",
          ], y.label(tick)))
    }
    for tick in x.ticks {
      let place = number(px(tick))
      parts.append(
        .tag(
          "line",
          [
            "class": "axis", "x1": place, "x2": place, "y1": number(floor),
            "y2": number(floor + 4),
          ]))
      parts.append(
        .tag(
          "text",
          ["class": "soft", "x": place, "y": number(floor + 17), "text-anchor": "middle"],
          x.label(tick)))
    }
    parts.append(
      .tag(
        "path",
        [
          "class": "axis",
          "d":
            "M\(number(Self.left)) \(number(top))V\(number(floor))H\(number(Self.width - Self.right))",
        ]))
    parts.append(
      .tag(
        "text",
        [
          "x": number((Self.left + Self.width - Self.right) / 2), "y": number(height - 8),
          "text-anchor": "middle",
        ], x.title))
    let middle = number((top + floor) / 2)
    parts.append(
      .tag(
        "text",
        [
          "x": "13", "y": middle, "text-anchor": "middle", "transform": "rotate(-90 13 \(middle))",
        ], y.title))
    return .tag("g", [:], parts)
  }

  private var legendMarkup: Markup {
    let entries = zip(series, legend.places).flatMap { one, place -> [Markup] in
      let y = 14 + Double(place.line) * Self.legendLine
      let key: Markup
      switch one.shape {
      case .line(_, let isDashed):
        key = .tag(
          "line",
          [
            "class": "curve stroke \(one.colorClass)\(isDashed ? " dashed" : "")",
            "x1": number(place.x), "x2": number(place.x + 18), "y1": number(y - 4),
            "y2": number(y - 4),
          ])
      case .points:
        key = .tag(
          "circle",
          [
            "class": "fill \(one.colorClass)", "cx": number(place.x + 9), "cy": number(y - 4),
            "r": "4.5",
          ])
      case .band, .bars:
        let look = if case .band = one.shape { "faint" } else { "bar" }
        key = .tag(
          "rect",
          [
            "class": "fill \(look) \(one.colorClass)", "x": number(place.x), "y": number(y - 10),
            "width": "18", "height": "11",
          ])
      }
      return [key, .tag("text", ["x": number(place.x + 23), "y": number(y)], one.name)]
    }
    return .tag("g", [:], entries)
  }

  // MARK: Data

  private func marks(_ one: Series, _ height: Double) -> [Markup] {
    switch one.shape {
    case .line(let points, let isDashed):
      let look = "curve stroke \(one.colorClass)\(isDashed ? " dashed" : "")"
      return runs(points).map { run in
        if run.count == 1, let point = run.first {
          return .tag(
            "circle",
            [
              "class": "fill \(one.colorClass)", "cx": number(px(point.x)),
              "cy": number(py(point.y, height)), "r": "3",
            ])
        }
        let path = run.map { "\(number(px($0.x))) \(number(py($0.y, height)))" }
        return .tag("path", ["class": look, "d": "M" + path.joined(separator: "L")])
      }
    case .band(let points):
      let upper = points.map { "\(number(px($0.x))),\(number(py($0.high, height)))" }
      let lower = points.reversed().map { "\(number(px($0.x))),\(number(py($0.low, height)))" }
      return [
        .tag(
          "polygon",
          [
            "class": "fill faint \(one.colorClass)",
            "points": (upper + lower).joined(separator: " "),
          ])
      ]
    case .bars(let bars, let width):
      let floor = height - Self.bottom
      return bars.map { bar in
        let (left, right) = (px(bar.x - width / 2), px(bar.x + width / 2))
        let y = py(bar.y, height)
        return .tag(
          "rect",
          [
            "class": "fill bar \(one.colorClass)", "x": number(left), "y": number(y),
            "width": number(max(right - left - 0.5, 0.5)), "height": number(max(floor - y, 0)),
          ])
      }
    case .points(let points):
      return points.map { point in
        .tag(
          "circle",
          [
            "class": "fill \(one.colorClass)", "cx": number(px(point.x)),
            "cy": number(py(point.y, height)), "r": "4.5",
          ])
      }
    }
  }

  /// The labels of all points, each beside its point where no other label is; left out where there is no room.
  private func labels(_ height: Double) -> [Markup] {
    let points = series.flatMap { one -> [(x: Double, y: Double, label: String)] in
      if case .points(let points) = one.shape { points } else { [] }
    }
    var taken: [(x: Double, y: Double, width: Double)] = []
    return points.compactMap { point -> Markup? in
      let (x, y) = (px(point.x), py(point.y, height))
      let width = Self.letterWidth * Double(point.label.count)
      let places = [
        (x + 8, y - 5), (x + 8, y + 13), (x - 8 - width, y - 5), (x - 8 - width, y + 13),
      ]
      let place = places.first { place in
        place.0 > Self.left && place.0 + width < Self.width && place.1 > top
          && !taken.contains {
            abs($0.y - place.1) < 13 && place.0 < $0.x + $0.width && $0.x < place.0 + width
          }
      }
      guard let place else { return nil }
      taken.append((place.0, place.1, width))
      return .tag("text", ["x": number(place.0), "y": number(place.1)], point.label)
    }
  }

  /// The points that stand together without a gap.
  private func runs(_ points: [(x: Double, y: Double?)]) -> [[(x: Double, y: Double)]] {
    var runs: [[(x: Double, y: Double)]] = [[]]
    for point in points {
      if let y = point.y, y.isFinite {
        runs[runs.count - 1].append((point.x, y))
      } else if runs.last?.isEmpty == false {
        runs.append([])
      }
    }
    return runs.filter { !$0.isEmpty }
  }

  /// A coordinate with one decimal.
  private func number(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return tenths % 10 == 0
      ? "\(tenths / 10)" : "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10)"
  }
}
