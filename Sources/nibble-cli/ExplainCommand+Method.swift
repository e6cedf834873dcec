import ArgumentParser
import Foundation
import Nibble

extension ExplainCommand {
  /// Values and codes of one method, as the library finds them.
  static func example(
    method: String, values: String?, scheme: String?
  ) throws -> WorkedExample {
    let numbers = try values.map(parse) ?? sample(method.hasPrefix("kl") ? 4096 : 16)
    let chosen = try scheme.map { name in
      guard let scheme = Scheme(name: name) else {
        throw ValidationError("--type \(name): no scheme as int4-row-asym or nf4-g64.")
      }
      return scheme
    }
    do {
      return try WorkedExample(method: method, values: numbers, scheme: chosen)
    } catch {
      throw ValidationError("--method \(method): \(error).")
    }
  }

  private static func parse(_ text: String) throws -> [Float] {
    try text.split(whereSeparator: { $0 == "," || $0 == " " }).map { word in
      guard let value = Float(word) else {
        throw ValidationError("--values: '\(word)' is no number.")
      }
      return value
    }
  }

  /// Normal values, the same each time.
  private static func sample(_ count: Int) -> [Float] {
    var random = RandomSource(seed: 1)
    return (0..<count).map { _ in Float(random.gaussian()) }
  }

  func explain(_ example: WorkedExample) {
    if json {
      print(example.json.text(.indented(2)))
      return
    }
    let scheme = example.tensor.scheme
    print("\(example.method.rawValue), stored as \(scheme)\n\n\(example.method.idea)\n")
    let ends = example.extremes
    print(
      "values: \(example.steps.count), from \(digits(ends.lowerBound)) to \(digits(ends.upperBound))"
    )
    print(example.scaleLines.joined(separator: "\n"))
    var table = Table(columns: [
      .right("value"), .right("group"), .right("code"), .right("level"), .right("stored"),
      .right("error"),
    ])
    let shown = example.steps.prefix(64)
    for step in shown {
      table.rows.append([
        digits(step.value), "\(step.group)", "\(step.code)", digits(step.level),
        digits(step.stored), digits(step.error),
      ])
    }
    print("\n\(table.text)")
    if shown.count < example.steps.count {
      print("… and \(example.steps.count - shown.count) more")
    }
    print("\nmean squared error: \(digits(Float(example.meanSquaredError)))")
    if let usual = example.usualMeanSquaredError {
      print("with \(scheme.usualRange.name), which clips nothing: \(digits(Float(usual)))")
    }
  }
}

extension WorkedExample.Method {
  /// The idea in a sentence or two.
  fileprivate var idea: String {
    switch self {
    case .absmax:
      "The largest magnitude becomes the highest level: scale = max |x| / highest level."
    case .zeroPoint:
      """
      The range from the smallest to the largest value, 0 among them, is spread over all codes: \
      scale = (max - min) / highest code, zero point = round(-min / scale).
      """
    case .minmax:
      "The smallest value is code 0, the largest the highest: x = code * scale + minimum."
    case .percentile:
      "A quantile takes the place of the largest magnitude; what is beyond is clipped."
    case .mse: "The range is searched for the least squared error: clipping the largest may pay."
    case .kl:
      "The clipping threshold whose histogram differs least from the unclipped one (Kullback-Leibler)."
    case .kmeans: "The levels are learned: each is the mean of the values that are nearest to it."
    case .nf4: "The levels are quantiles of a normal distribution; the largest magnitude becomes 1."
    case .fp4: "The levels are 4-bit floats; the largest magnitude becomes 1."
    case .mxfp4: "The levels are 4-bit floats E2M1; the scale of 32 values is a power of two."
    case .hqq:
      "The zero point, or the minimum, is moved by half-quadratic splitting until many errors are small and a few large."
    case .doubleQuantization:
      "The scales are quantized too: 8-bit codes, after their mean was taken off."
    }
  }
}

extension WorkedExample {
  /// The scales and what belongs to them, one line a group.
  fileprivate var scaleLines: [String] {
    var lines: [String] = []
    if let rangeName { lines.append("range: \(rangeName)") }
    let scales = tensor.scales.values()
    let perGroup = tensor.scheme.scalesPerGroup
    if perGroup > 1 {
      for group in 0..<scales.count / perGroup {
        let levels = scales[group * perGroup..<(group + 1) * perGroup].map(digits)
        lines.append("levels of group \(group): \(levels.joined(separator: " "))")
      }
      return lines
    }
    let minima = tensor.offsets?.values()
    for (group, scale) in scales.enumerated().prefix(16) {
      var line = "scale of group \(group): \(digits(scale))"
      if let zeroPoints = tensor.zeroPoints { line += ", zero point \(zeroPoints[group])" }
      if let minima { line += ", minimum \(digits(minima[group]))" }
      if case .doubleQuantized(let codes, _, _) = tensor.scales { line += ", code \(codes[group])" }
      lines.append(line)
    }
    if case .doubleQuantized(_, let largest, let mean) = tensor.scales {
      lines.append(
        "mean of the scales: \(digits(mean)); largest distance from it: \(largest.map(digits)[0])")
    }
    return lines
  }

  fileprivate var json: JSONValue {
    let steps = steps.map { step -> JSONValue in
      [
        "value": .number(Double(step.value)), "group": .integer(Int64(step.group)),
        "code": .integer(Int64(step.code)), "level": .number(Double(step.level)),
        "stored": .number(Double(step.stored)), "error": .number(Double(step.error)),
      ]
    }
    var object = JSONObject([
      "method": .string(method.rawValue), "type": .string("\(tensor.scheme)"),
      "range": rangeName.map(JSONValue.string) ?? .null,
      "scales": .array(tensor.scales.values().map { .number(Double($0)) }),
      "mean_squared_error": .number(meanSquaredError), "values": .array(steps),
    ])
    if let zeroPoints = tensor.zeroPoints {
      object["zero_points"] = .array(zeroPoints.map { .integer(Int64($0)) })
    }
    if let offsets = tensor.offsets {
      object["minima"] = .array(offsets.values().map { .number(Double($0)) })
    }
    if let usualMeanSquaredError {
      object["usual_mean_squared_error"] = .number(usualMeanSquaredError)
    }
    return .object(object)
  }
}

private func digits(_ value: Float) -> String { String(format: "%.5g", value) }
