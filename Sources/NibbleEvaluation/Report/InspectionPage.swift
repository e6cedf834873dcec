internal import Foundation
internal import NibbleCheckpoints
internal import NibbleModels

extension ReportPage {
  /// The page of an inspection: sizes, memory, histograms, ranges by block, and outliers.
  public init(_ inspection: ModelInspection) {
    let page = InspectionPage(inspection: inspection)
    self.init(
      title: "Inspection of \(inspection.path)",
      content: [
        page.overview, page.annotations, page.sizes, page.memory, page.histograms, page.ranges,
        page.outliers,
        page.tensors,
      ].compactMap(\.self))
  }
}

private struct InspectionPage {
  let inspection: ModelInspection

  var overview: Markup {
    var rows = [
      ["architecture", inspection.architecture ?? "unknown"], ["format", inspection.format],
      ["parameters", "\(inspection.parameterCount)"], ["tensors", "\(inspection.tensors.count)"],
      ["bytes of tensors", PlotNumber.bytes(inspection.byteCount)],
      ["bits per weight", PlotNumber.fixed(inspection.bitsPerWeight, 3)],
    ]
    if let config = inspection.config {
      rows += [
        ["blocks", "\(config.blockCount)"], ["features", "\(config.hiddenCount)"],
        ["feed-forward features", "\(config.feedForwardCount)"],
        ["query heads", "\(config.headCount) of \(config.headFeatureCount) features"],
        ["key-value heads", "\(config.keyValueHeadCount)"],
        ["vocabulary", "\(config.vocabularyCount)"],
        ["context", "\(config.contextCount) tokens"],
        ["head", config.hasTiedEmbeddings ? "tied to the embeddings" : "its own"],
      ]
    }
    let notes = inspection.notes.map { ReportPage.paragraph("Note: \($0)") }
    return ReportPage.section("Overview", notes + [ReportPage.table(["property", "value"], rows)])
  }

  /// What the files say of how they were made and verified.
  var annotations: Markup? {
    let rows =
      Self.rows("provenance", inspection.annotations.provenance)
      + Self.rows("verdict", inspection.annotations.verdict)
    guard !rows.isEmpty else { return nil }
    return ReportPage.section(
      "Made and verified", [ReportPage.table(["what the files say", "value"], rows)])
  }

  /// A row for each plain value, named by its path.
  private static func rows(_ path: String, _ value: JSONValue?) -> [[String]] {
    switch value {
    case nil: return []
    case .object(let object): return object.keys.flatMap { rows("\(path) · \($0)", object[$0]) }
    case .array(let values):
      return values.enumerated().flatMap { rows("\(path) · \($0 + 1)", $1) }
    case .string(let text): return [[path, text]]
    case let value?: return [[path, value.text()]]
    }
  }

  var sizes: Markup {
    let bars = inspection.roles.map { share in
      BarList.Bar(
        name: title(share), value: Double(share.byteCount),
        text: "\(PlotNumber.bytes(share.byteCount))")
    }
    let plot = BarList(
      title: "Bytes by role",
      description: "Bytes of the tensors of each role; the table below has the numbers.",
      axisTitle: "bytes of tensors", bars: bars)
    func rows(_ shares: [SizeShare]) -> [[String]] {
      shares.map { share in
        [
          title(share), "\(share.tensorCount)", "\(share.parameterCount)",
          PlotNumber.bytes(share.byteCount), PlotNumber.fixed(share.bitsPerWeight, 3),
        ]
      }
    }
    let columns = ["tensors", "parameters", "bytes", "bits per weight"]
    return ReportPage.section(
      "Size",
      [
        plot.figure(id: "bytes"), ReportPage.table(["role"] + columns, rows(inspection.roles)),
        ReportPage.paragraph("By stored type:"),
        ReportPage.table(["type"] + columns, rows(inspection.types)),
      ])
  }

  private func title(_ share: SizeShare) -> String {
    WeightRole(rawValue: share.name)?.title ?? share.name
  }

  var memory: Markup {
    var content = [
      ReportPage.table(
        ["weights", "bits of a matrix weight", "bytes"],
        inspection.memory.map { estimate in
          [
            estimate.precision.title, PlotNumber.short(estimate.bitsPerWeight),
            PlotNumber.bytes(estimate.byteCount),
          ]
        }),
      ReportPage.paragraph(
        "Integer types count a 16-bit scale for 32 weights; vectors stay in FP32 beside them."),
    ]
    if let cache = inspection.cache {
      content += [
        ReportPage.table(
          ["key-value cache of \(cache.contextCount) tokens", "bytes"],
          [("FP32", 4.0), ("FP16", 2.0), ("INT8", 1.0625)].map { name, size in
            [name, PlotNumber.bytes(cache.byteCount(bytesPerElement: size))]
          }),
        ReportPage.paragraph(
          "2 × \(cache.blockCount) blocks × \(cache.keyValueHeadCount) key-value heads × "
            + "\(cache.headFeatureCount) features = \(cache.elementCountPerPosition) values a token."
        ),
      ]
    }
    return ReportPage.section("Memory", content)
  }

  var histograms: Markup? {
    guard !inspection.roleStatistics.isEmpty else { return nil }
    let figures = inspection.roleStatistics.enumerated().map { index, values in
      histogram(values.role.title, values.moments, values.histogram).figure(id: "role\(index)")
    }
    let rows = inspection.roleStatistics.map { values in
      [
        values.role.title, PlotNumber.short(values.minimum), PlotNumber.short(values.maximum),
        PlotNumber.short(values.moments.mean),
        PlotNumber.short(values.moments.standardDeviation),
        PlotNumber.fixed(values.moments.excessKurtosis, 2),
      ]
    }
    return ReportPage.section(
      "Weights by role",
      [
        ReportPage.paragraph(
          "Share of the weights in each of \(TensorStatistics.intervalCount) intervals from the least to the greatest, on a "
            + "logarithmic scale so that tails show. The dashed line is a Gaussian of the same mean and variance."
        ),
        .tag("div", ["class": "grid"], figures),
        ReportPage.table(
          ["role", "min", "max", "mean", "standard deviation", "excess kurtosis"], rows),
      ])
  }

  private func histogram(
    _ name: String, _ moments: CentralMoments, _ intervals: ValueHistogram.Intervals
  ) -> Plot {
    let total = Double(max(intervals.counts.reduce(0, +), 1))
    let bars = intervals.counts.enumerated().map { index, count in
      (x: intervals.lowerBound + (Double(index) + 0.5) * intervals.width, y: Double(count) / total)
    }.filter { $0.y > 0 }
    // A step below the rarest value, so that a single weight still has a bar.
    let floor = 0.5 / total
    let deviation = moments.standardDeviation
    let steps = 200
    let curve = (0...steps).map { step -> (x: Double, y: Double?) in
      let x =
        intervals.lowerBound + (intervals.upperBound - intervals.lowerBound) * Double(step)
        / Double(steps)
      guard deviation > 0 else { return (x, nil) }
      let z = (x - moments.mean) / deviation
      let density = exp(-z * z / 2) / (deviation * (2 * Double.pi).squareRoot())
      let share = density * intervals.width
      return (x, share >= floor ? share : nil)
    }
    return Plot(
      title: name,
      description: "Histogram from \(PlotNumber.short(intervals.lowerBound)) to "
        + "\(PlotNumber.short(intervals.upperBound)), mean \(PlotNumber.short(moments.mean)), "
        + "standard deviation \(PlotNumber.short(deviation)).",
      x: PlotAxis("weight", [intervals.lowerBound, intervals.upperBound]),
      y: PlotAxis("share of weights", scale: .logarithmic, bars.map(\.y), including: [floor, 1]),
      series: [
        Plot.Series("weights", color: 0, .bars(bars, width: intervals.width)),
        Plot.Series("Gaussian", color: 1, .line(curve, isDashed: true)),
      ])
  }

  var ranges: Markup? {
    let blocks = inspection.blocks
    guard blocks.count > 1 else { return nil }
    let axis = PlotAxis("block", blocks.map { Double($0.block) })
    let extremes = Plot(
      title: "Least to greatest weight of each block",
      description:
        "The range of the weights in each block's matrices; the table below has the numbers.",
      x: axis, y: PlotAxis("weight", blocks.flatMap { [$0.minimum, $0.maximum] }).rounded(),
      series: [
        Plot.Series(
          "minimum to maximum", color: 0,
          .band(blocks.map { (x: Double($0.block), low: $0.minimum, high: $0.maximum) }))
      ])
    let spread = blocks.map { block in
      let (mean, deviation) = (block.moments.mean, block.moments.standardDeviation)
      return (x: Double(block.block), low: mean - deviation, high: mean + deviation)
    }
    let middle = Plot(
      title: "Mean and standard deviation of each block",
      description:
        "The mean of the weights in each block's matrices, with one standard deviation to either side; the table "
        + "below has the numbers.",
      x: axis,
      y: PlotAxis("weight", spread.flatMap { [$0.low, $0.high] }, including: [0]).rounded(),
      series: [
        Plot.Series("mean ± standard deviation", color: 1, .band(spread)),
        Plot.Series(
          "mean", color: 1,
          .line(blocks.map { (x: Double($0.block), y: $0.moments.mean) }, isDashed: false)),
      ])
    let rows = blocks.map { block in
      [
        "\(block.block)", PlotNumber.short(block.minimum), PlotNumber.short(block.maximum),
        PlotNumber.short(block.moments.mean), PlotNumber.short(block.moments.standardDeviation),
        PlotNumber.fixed(block.moments.excessKurtosis, 2),
      ]
    }
    let titles = ["block", "min", "max", "mean", "standard deviation", "excess kurtosis"]
    return ReportPage.section(
      "Ranges by block",
      [
        .tag(
          "div", ["class": "grid"], [extremes.figure(id: "blocks"), middle.figure(id: "spread")]),
        ReportPage.folded("Numbers", ReportPage.table(titles, rows)),
      ])
  }

  var outliers: Markup? {
    let tensors = inspection.outlierTensors
    let definition = ReportPage.paragraph(
      "A column (input feature) stands out when its norm or its largest magnitude exceeds the median of its tensor's columns "
        + "by more than six robust standard deviations (1.4826 times the median distance from the median) and is at least twice "
        + "the median. Six is the threshold that LLM.int8() sets for activations (Dettmers et al. 2022); weights have no unit of "
        + "their own, so it is counted in deviations here.")
    guard !tensors.isEmpty else {
      return ReportPage.section("Outlier columns", [definition, ReportPage.paragraph("None.")])
    }
    let worst = tensors.prefix(10)
    let bars = worst.map { tensor in
      BarList.Bar(
        name: shortName(tensor.name), value: tensor.outlierRatio,
        text: "\(PlotNumber.fixed(tensor.outlierRatio, 1))×")
    }
    let plot = BarList(
      title: "Worst outlier column of a tensor",
      description:
        "The ten tensors whose worst column stands out most; numbers in the table below.",
      axisTitle: "times the median column", bars: bars)
    let figures = worst.prefix(4).enumerated().compactMap { index, tensor in
      tensor.statistics.map {
        histogram(tensor.name, $0.moments, $0.histogram).figure(id: "worst\(index)")
      }
    }
    let rows = worst.compactMap { tensor -> [String]? in
      guard let statistics = tensor.statistics, let column = statistics.outlierColumns.first else {
        return nil
      }
      return [
        tensor.name, "\(statistics.outlierColumns.count)", "\(column.column)",
        PlotNumber.short(column.norm), "\(PlotNumber.fixed(column.normRatio, 2))×",
        PlotNumber.short(column.largestMagnitude),
        "\(PlotNumber.fixed(column.magnitudeRatio, 2))×", PlotNumber.short(statistics.farShare),
      ]
    }
    let titles = [
      "tensor", "columns", "worst", "its norm", "of the median", "its largest", "of the median",
      "share beyond 6 σ",
    ]
    return ReportPage.section(
      "Outlier columns",
      [
        definition,
        ReportPage.paragraph(
          "\(tensors.count) of \(inspection.tensors.count) tensors have some; the worst:"),
        plot.figure(id: "outliers"), ReportPage.table(titles, rows),
        .tag("div", ["class": "grid"], figures),
      ])
  }

  /// A name cut to the width that bars leave for it.
  private func shortName(_ name: String) -> String {
    var short = name.hasSuffix(".weight") ? String(name.dropLast(7)) : name
    for prefix in ["model.layers.", "model."] where short.hasPrefix(prefix) {
      short.removeFirst(prefix.count)
      break
    }
    return short.count > 20 ? "…" + short.suffix(19) : short
  }

  var tensors: Markup {
    let rows = inspection.tensors.map { tensor in
      let values = tensor.statistics
      return [
        tensor.name, tensor.shape.map(String.init).joined(separator: "×"), tensor.type,
        PlotNumber.bytes(tensor.byteCount), PlotNumber.short(values?.minimum),
        PlotNumber.short(values?.maximum), PlotNumber.short(values?.moments.mean),
        PlotNumber.short(values?.moments.standardDeviation),
        PlotNumber.fixed(values?.moments.excessKurtosis, 2),
        values.map { "\($0.nonFiniteCount)" } ?? "–",
        values.map { "\($0.outlierColumns.count)" } ?? "–",
      ]
    }
    let titles = [
      "tensor", "shape", "type", "bytes", "min", "max", "mean", "standard deviation",
      "excess kurtosis", "not finite", "outlier columns",
    ]
    return ReportPage.section(
      "Tensors",
      [ReportPage.folded("All \(rows.count) tensors", ReportPage.table(titles, rows))])
  }
}
