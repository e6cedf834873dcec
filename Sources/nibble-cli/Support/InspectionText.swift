import Foundation
import Nibble

extension ModelInspection {
  /// The inspection as a person reads it in a terminal.
  var text: String {
    var parts = [heading, roleTable, typeTable, memoryTable, outlierText]
    if !roleStatistics.isEmpty { parts.append(histogramText) }
    parts.append(tensorTable)
    return parts.joined(separator: "\n\n")
  }

  private var heading: String {
    var lines = [
      "\(path): \(architecture ?? "unknown architecture"), \(format), "
        + "\(countText(parameterCount)) parameters in \(tensors.count) tensors, "
        + "\(byteText(byteCount)), \(fixed(bitsPerWeight, 3)) bits per weight"
    ]
    if let config {
      lines.append(
        "\(config.blockCount) blocks of \(config.hiddenCount) features, "
          + "\(config.headCount) heads of \(config.headFeatureCount) "
          + "(\(config.keyValueHeadCount) for keys and values), "
          + "feed-forward \(config.feedForwardCount), vocabulary \(config.vocabularyCount), "
          + "context \(config.contextCount)"
          + (config.expertCount > 0
            ? ", \(config.usedExpertCount) of \(config.expertCount) experts" : "")
          + (config.hasTiedEmbeddings ? ", head tied to the embeddings" : ""))
    }
    return (lines + annotations.lines).joined(separator: "\n")
  }

  private var roleTable: String {
    var table = Table(columns: [
      .left("role"), .right("tensors"), .right("parameters"), .right("bytes"), .right("bits"),
      .right("min"), .right("max"), .right("std"), .right("kurtosis"),
    ])
    for share in roles {
      let values = roleStatistics.first { $0.role.rawValue == share.name }
      table.rows.append([
        WeightRole(rawValue: share.name)?.title ?? share.name, "\(share.tensorCount)",
        countText(share.parameterCount), byteText(share.byteCount), fixed(share.bitsPerWeight, 3),
        short(values?.minimum), short(values?.maximum), short(values?.moments.standardDeviation),
        values?.moments.excessKurtosis.map { fixed($0, 1) } ?? "-",
      ])
    }
    return table.text
  }

  private var typeTable: String {
    var table = Table(columns: [
      .left("type"), .right("tensors"), .right("parameters"), .right("bytes"), .right("bits"),
    ])
    for share in types {
      table.rows.append([
        share.name, "\(share.tensorCount)", countText(share.parameterCount),
        byteText(share.byteCount), fixed(share.bitsPerWeight, 3),
      ])
    }
    return table.text
  }

  private var memoryTable: String {
    var table = Table(columns: [.left("weights in memory"), .right("bytes"), .left("")])
    for estimate in memory {
      table.rows.append([
        estimate.precision.title, byteText(estimate.byteCount), estimate.precision.explanation,
      ])
    }
    guard let cache else { return table.text }
    let rows = [("FP32", 4.0), ("FP16", 2.0), ("INT8", 1.0625)].map { name, byteCount in
      ["  \(name)", byteText(cache.byteCount(bytesPerElement: byteCount)), ""]
    }
    let formula =
      "2 × \(cache.blockCount) blocks × \(cache.keyValueHeadCount) heads × "
      + "\(cache.headFeatureCount) features = \(cache.elementCountPerPosition) values a token"
    var cacheTable = Table(columns: [
      .left("key-value cache of \(cache.contextCount) tokens"), .right("bytes"), .left(formula),
    ])
    cacheTable.rows = rows
    var text = table.text + "\n\n" + cacheTable.text
    if let window = cache.slidingWindow, window < cache.contextCount {
      text +=
        "\nAttention looks back over \(window) tokens; a cache that drops older ones needs "
        + "\(window)/\(cache.contextCount) of this."
    }
    return text
  }

  private var outlierText: String {
    let worst = outlierTensors.prefix(10)
    guard !worst.isEmpty else { return "No outlier columns." }
    var table = Table(columns: [
      .left("outlier columns, worst tensors"), .right("columns"), .right("worst"), .right("norm"),
      .right("largest"), .right("beyond 6σ"),
    ])
    for tensor in worst {
      guard let statistics = tensor.statistics, let column = statistics.outlierColumns.first else {
        continue
      }
      table.rows.append([
        tensor.name, "\(statistics.outlierColumns.count) of \(tensor.shape.last ?? 1)",
        "\(column.column)", "\(fixed(column.normRatio, 1))×", "\(fixed(column.magnitudeRatio, 1))×",
        String(format: "%.1e", statistics.farShare),
      ])
    }
    return table.text + "\n\(outlierTensors.count) tensors have outlier columns; "
      + "norm and largest magnitude are relative to the median column's."
  }

  private var histogramText: String {
    let lines = roleStatistics.map { values in
      [values.role.title, sparkline(values.centralHistogram.counts)]
    }
    return Table(
      columns: [.left("role"), .left("weights from 4 deviations below the mean to 4 above")],
      rows: lines
    ).text
  }

  private var tensorTable: String {
    var table = Table(columns: [
      .left("tensor"), .right("shape"), .left("type"), .right("bytes"), .right("min"),
      .right("max"), .right("std"), .right("kurtosis"), .right("outliers"),
    ])
    for tensor in tensors {
      let values = tensor.statistics
      table.rows.append([
        tensor.name, shapeText(tensor.shape), tensor.type, byteText(tensor.byteCount),
        short(values?.minimum), short(values?.maximum), short(values?.moments.standardDeviation),
        values?.moments.excessKurtosis.map { fixed($0, 1) } ?? "-",
        values.map { "\($0.outlierColumns.count)" } ?? "-",
      ])
    }
    return table.text
  }
}

extension TensorInspection {
  /// One tensor in detail.
  var text: String {
    var rows = [
      ["tensor", name], ["shape", shapeText(shape)], ["type", type], ["role", role.title],
      ["parameters", "\(parameterCount)"],
      ["bytes", "\(byteCount) (\(fixed(bitsPerWeight, 3)) bits per weight)"],
    ]
    guard let statistics else {
      rows.append(["values", parameterCount == 0 ? "none" : "of a type that is not decoded"])
      return Table(columns: [.left(""), .left("")], rows: rows).text
    }
    rows += [
      ["minimum", short(statistics.minimum)], ["maximum", short(statistics.maximum)],
      ["largest magnitude", short(statistics.absoluteMaximum)],
      ["mean", short(statistics.moments.mean)],
      ["standard deviation", short(statistics.moments.standardDeviation)],
      [
        "excess kurtosis",
        statistics.moments.excessKurtosis.map { fixed($0, 3) } ?? "undefined, all values are equal",
      ],
      ["zeros", percent(statistics.zeroShare)],
      ["beyond 6 deviations", percent(statistics.farShare)],
      ["NaN", "\(statistics.notANumberCount)"], ["infinite", "\(statistics.infinityCount)"],
    ]
    for (share, value) in zip(TensorStatistics.percentileShares, statistics.percentiles) {
      rows.append([String(format: "%4.1f %% below", 100 * share), short(value)])
    }
    for (title, range) in [
      ("row norms", statistics.rowNorms), ("column norms", statistics.columnNorms),
    ] {
      guard let range else { continue }
      rows.append([
        title,
        "\(short(range.minimum)) to \(short(range.maximum)), median \(short(range.median))",
      ])
    }
    var parts = [Table(columns: [.left(""), .left("")], rows: rows).text]
    parts.append(outlierText(statistics.outlierColumns))
    parts.append(barText(statistics.centralHistogram))
    return parts.joined(separator: "\n\n")
  }

  private func outlierText(_ columns: [OutlierColumn]) -> String {
    guard !columns.isEmpty else { return "No outlier columns." }
    var table = Table(columns: [
      .right("outlier column"), .right("norm"), .right("largest"), .right("norm / median"),
      .right("largest / median"),
    ])
    for column in columns.prefix(20) {
      table.rows.append([
        "\(column.column)", short(column.norm), short(column.largestMagnitude),
        "\(fixed(column.normRatio, 2))×", "\(fixed(column.magnitudeRatio, 2))×",
      ])
    }
    let rest = columns.count - 20
    return table.text + (rest > 0 ? "\nand \(rest) more" : "")
  }
}

extension MemoryEstimate.Precision {
  var explanation: String {
    switch self {
    case .stored: ""
    case .float32: "32 bits a weight"
    case .float16: "16 bits a weight"
    case .int8: "8.5 bits a weight: a 16-bit scale for 32; vectors in FP32"
    case .int4: "4.5 bits a weight: a 16-bit scale for 32; vectors in FP32"
    }
  }
}
