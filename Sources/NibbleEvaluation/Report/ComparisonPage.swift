internal import Foundation

extension ReportPage {
  /// The page of a comparison: error by block, by role and by bits, next to the rate-distortion bound.
  public init(_ comparison: ModelComparison) {
    let page = ComparisonPage(comparison: comparison)
    self.init(
      title: "Comparison with \(comparison.original)",
      content: [page.overview, page.rates, page.blocks, page.roles, page.tensors, page.gaps]
        .compactMap(\.self))
  }
}

private struct ComparisonPage {
  let comparison: ModelComparison
  let names: [String]

  init(comparison: ModelComparison) {
    self.comparison = comparison
    names = Self.shortNames(comparison.candidates.map(\.path))
  }

  /// The last parts of the paths, or the whole paths where those are alike.
  private static func shortNames(_ paths: [String]) -> [String] {
    let short = paths.map { path in
      path.split(separator: "/").last.map(String.init) ?? path
    }
    return Set(short).count == paths.count ? short : paths
  }

  private static let titles = [
    "bits per weight", "relative error", "SQNR (dB)", "cosine", "largest error",
    "to bound (dB)",
  ]

  private func cells(_ distortion: Distortion) -> [String] {
    [
      PlotNumber.fixed(distortion.bitsPerWeight, 3), errorText(distortion.relativeError),
      PlotNumber.fixed(distortion.signalToNoise, 2), PlotNumber.fixed(distortion.cosine, 6),
      PlotNumber.short(distortion.largestError), PlotNumber.fixed(distortion.boundDistance, 2),
    ]
  }

  private func errorText(_ error: Double) -> String {
    error == 0 ? "0" : String(format: "%.3e", error)
  }

  var overview: Markup {
    let rows = zip(names, comparison.candidates).map { name, candidate in
      [name, candidate.format, PlotNumber.bytes(candidate.byteCount)] + cells(candidate.total)
    }
    let notes = comparison.notes.map { ReportPage.paragraph("Note: \($0)") }
    return ReportPage.section(
      "Overview",
      notes + [
        ReportPage.table(["model", "format", "bytes"] + Self.titles, rows),
        ReportPage.paragraph(
          "Relative error is ‖W − Ŵ‖² / ‖W‖² over the tensors that both models hold, SQNR the same in dB. The bound is the "
            + "least error with which a Gaussian of a tensor's variance can be stored in as many bits, D(R) = σ² · 2^(−2R); "
            + "weights that are no Gaussian may come closer to it. An exact copy has neither."),
      ])
  }

  var rates: Markup? {
    let series = comparison.candidates.enumerated().map { index, candidate in
      let types = Dictionary(grouping: candidate.tensors, by: \.type)
      let points = types.keys.sorted().compactMap {
        type -> (x: Double, y: Double, label: String)? in
        let sum = (types[type] ?? []).reduce(into: Distortion()) { $0.add($1.distortion) }
        let error = sum.relativeError
        return error > 0 && error.isFinite ? (sum.bitsPerWeight, error, type) : nil
      }
      return Plot.Series(names[index], color: index, .points(points))
    }
    let all = series.flatMap { one -> [(x: Double, y: Double, label: String)] in
      if case .points(let points) = one.shape { points } else { [] }
    }
    guard let widest = all.map(\.x).max(), let narrowest = all.map(\.x).min() else { return nil }
    let (from, to) = (max(0, narrowest.rounded(.down) - 0.5), widest.rounded(.up) + 0.5)
    let bound = [from, to].map { bits -> (x: Double, y: Double?) in
      (bits, RateDistortion.bound(variance: 1, bits: bits))
    }
    let plot = Plot(
      title: "Error against bits",
      description:
        "Relative error of the tensors of each stored type against the bits that a weight takes, with the "
        + "rate-distortion bound of a Gaussian as a line. Numbers in the table below.",
      x: PlotAxis("bits per weight", [from, to]),
      y: PlotAxis(
        "relative error", scale: .logarithmic, all.map(\.y) + bound.compactMap(\.y)
      ).rounded(),
      series: series
        + [Plot.Series("rate-distortion bound", color: nil, .line(bound, isDashed: true))],
      caption: "One point for each stored type of each model; lower is better")
    let rows = zip(names, series).flatMap { name, one -> [[String]] in
      guard case .points(let points) = one.shape else { return [] }
      return points.map { point in
        [
          "\(name), \(point.label)", PlotNumber.fixed(point.x, 3), errorText(point.y),
          PlotNumber.fixed(-10 * log10(point.y), 2),
          errorText(RateDistortion.bound(variance: 1, bits: point.x)),
        ]
      }
    }
    let titles = ["model, type", "bits per weight", "relative error", "SQNR (dB)", "bound"]
    return ReportPage.section(
      "Bits and error", [plot.figure(id: "rates"), ReportPage.table(titles, rows)])
  }

  var blocks: Markup? {
    let sums = comparison.candidates.map { candidate in
      Dictionary(grouping: candidate.tensors.filter { $0.block != nil }, by: { $0.block ?? 0 })
        .mapValues { tensors in tensors.reduce(into: Distortion()) { $0.add($1.distortion) } }
    }
    let indices = Set(sums.flatMap(\.keys)).sorted()
    guard indices.count > 1 else { return nil }
    let series = sums.enumerated().map { index, blocks in
      Plot.Series(
        names[index], color: index,
        .line(
          indices.map { (x: Double($0), y: blocks[$0]?.signalToNoise) }, isDashed: false))
    }
    let values = sums.flatMap { $0.values.compactMap(\.signalToNoise) }
    guard !values.isEmpty else { return nil }
    let plot = Plot(
      title: "SQNR by block",
      description:
        "Signal to quantization noise ratio of each block's tensors together, for each model; numbers in the "
        + "table below.",
      x: PlotAxis("block", indices.map(Double.init)), y: PlotAxis("SQNR (dB)", values).rounded(),
      series: series, caption: "Higher is better")
    let rows = indices.map { block in
      ["\(block)"] + sums.map { PlotNumber.fixed($0[block]?.signalToNoise, 2) }
    }
    return ReportPage.section(
      "Error by block",
      [
        plot.figure(id: "blocks"),
        ReportPage.folded(
          "Numbers", ReportPage.table(["block"] + names.map { "\($0) (dB)" }, rows)),
      ])
  }

  var roles: Markup? {
    var bars: [BarList.Bar] = []
    var rows: [[String]] = []
    for role in WeightRole.allCases {
      var title = role.title
      for (index, candidate) in comparison.candidates.enumerated() {
        guard let found = candidate.roles.first(where: { $0.role == role }) else { continue }
        let size = 100 * found.distortion.relativeError.squareRoot()
        rows.append(["\(role.title), \(names[index])"] + cells(found.distortion))
        bars.append(
          BarList.Bar(
            name: title, value: size, text: size == 0 ? "exact" : "\(PlotNumber.fixed(size, 2)) %",
            color: index))
        title = ""
      }
    }
    guard !bars.isEmpty else { return nil }
    let plot = BarList(
      title: "Error by role",
      description:
        "Size of the error relative to the weights, for each role and model; numbers in the table below.",
      axisTitle: "‖W − Ŵ‖ / ‖W‖ (percent)", bars: bars, legend: names,
      caption: "The root of the relative error, so that lengths compare as errors do")
    return ReportPage.section(
      "Error by role",
      [plot.figure(id: "roles"), ReportPage.table(["role, model"] + Self.titles, rows)])
  }

  var tensors: Markup {
    let tables = zip(names, comparison.candidates).map { name, candidate in
      let rows = candidate.worstFirst.map { tensor in
        [
          tensor.name, tensor.shape.map(String.init).joined(separator: "×"),
          "\(tensor.originalType) → \(tensor.type)",
        ] + cells(tensor.distortion)
      }
      return ReportPage.folded(
        "\(name): \(rows.count) tensors, the worst first",
        ReportPage.table(["tensor", "shape", "type"] + Self.titles, rows))
    }
    return ReportPage.section("Tensors", tables)
  }

  var gaps: Markup? {
    let rows = zip(names, comparison.candidates).flatMap { name, candidate -> [[String]] in
      candidate.missing.map { [name, "\($0) is missing"] }
        + candidate.additional.map { [name, "\($0) is not in the original"] }
        + candidate.incomparable.map { [name, $0] }
    }
    guard !rows.isEmpty else { return nil }
    return ReportPage.section("Not compared", [ReportPage.table(["model", "tensor"], rows)])
  }
}
