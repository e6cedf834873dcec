import ArgumentParser
import Foundation
import Nibble

struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compare models with the one that they were made from, weight by weight.",
    discussion: """
      Formats may differ: tensors are paired by their place in the model. For each tensor, role and model: relative error \
      ‖W − Ŵ‖² / ‖W‖², SQNR (the same in dB), cosine, largest error, bits per weight, and the distance in dB to the least \
      error with which a Gaussian of the tensor's variance can be stored in as many bits, D(R) = σ² · 2^(−2R).

      Examples:
        nibble compare model-q4_k_m.gguf --against SmolLM2-135M
        nibble compare q4_0.gguf q4_k_m.gguf q8_0.gguf --against base.gguf --html compare.html
      """)

  @Argument(help: "The models to judge.")
  var models: [String]

  @Option(help: ArgumentHelp("The model that they were made from.", valueName: "model"))
  var against: String

  @Option(help: ArgumentHelp("Tensors to list, the worst first.", valueName: "count"))
  var top = 20

  @Option(help: ArgumentHelp("Write a page with plots that needs no network.", valueName: "file"))
  var html: String?

  @OptionGroup var display: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    guard top >= 0 else { throw ValidationError("--top must not be negative.") }
  }

  func run() throws {
    let comparison = try threads.run(display) { environment in
      try ModelComparer(environment).compare(
        models, against: against, onProgress: environment.report("comparing"))
    }
    if let html { try ReportPage(comparison).write(to: html) }
    for note in comparison.notes { display.note(note) }
    if display.json {
      print(comparison.json.text(.indented(2)))
    } else if !display.quiet {
      print(comparison.text(tensorLimit: top))
      if let html { print("\n\(html): written") }
    }
  }
}

extension ModelComparison {
  /// The comparison as a person reads it in a terminal.
  func text(tensorLimit: Int) -> String {
    var parts = [totalTable]
    parts += [legend, table("role", byRole)].filter { !$0.isEmpty }
    if tensorLimit > 0 { parts.append(table("tensor, worst first", byTensor(tensorLimit))) }
    let gaps = candidates.flatMap(\.gapLines)
    if !gaps.isEmpty { parts.append(gaps.joined(separator: "\n")) }
    return parts.joined(separator: "\n\n")
  }

  private var totalTable: String {
    var table = Table(columns: [
      .left("model"), .right("bytes"), .right("bits"), .right("rel. error"), .right("SQNR dB"),
      .right("cosine"), .right("largest"), .right("to bound dB"),
    ])
    for (index, candidate) in candidates.enumerated() {
      let total = candidate.total
      table.rows.append([
        candidates.count > 1 ? "\(index + 1) \(candidate.path)" : candidate.path,
        byteText(candidate.byteCount), fixed(candidate.bitsPerWeight, 3),
        errorText(total.relativeError), decibels(total.signalToNoise, of: total),
        total.cosine.map { fixed($0, 6) } ?? "-", short(total.largestError),
        total.boundDistance.map { fixed($0, 2) } ?? "-",
      ])
    }
    return "against \(original)\n\n" + table.text
  }

  private var legend: String {
    candidates.count > 1 ? "Columns are numbered as the models above." : ""
  }

  /// A row with one figure of each candidate, nil where it lacks the tensor.
  private typealias Line = (name: String, figures: [(type: String?, distortion: Distortion)?])

  private var byRole: [Line] {
    WeightRole.allCases.compactMap { role in
      let figures = candidates.map { candidate in
        candidate.roles.first { $0.role == role }.map {
          (type: String?.none, distortion: $0.distortion)
        }
      }
      return figures.contains { $0 != nil } ? (role.title, figures) : nil
    }
  }

  private func byTensor(_ limit: Int) -> [Line] {
    var errors: [(name: String, error: Double)] = []
    var places: [String: Int] = [:]
    for tensor in candidates.flatMap(\.tensors) {
      let error = tensor.distortion.relativeError
      if let place = places[tensor.name] {
        errors[place].error = max(errors[place].error, error)
      } else {
        places[tensor.name] = errors.count
        errors.append((tensor.name, error))
      }
    }
    let found = candidates.map { candidate in
      Dictionary(candidate.tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }
    let order = errors.indices.sorted { (errors[$1].error, $0) < (errors[$0].error, $1) }
    return order.prefix(limit).map { index in
      let name = errors[index].name
      return (
        name, found.map { tensors in tensors[name].map { ($0.type, $0.distortion) } }
      )
    }
  }

  private func table(_ title: String, _ lines: [Line]) -> String {
    let hasTypes = lines.contains { $0.figures.contains { $0?.type != nil } }
    var columns: [Table.Column] = [.left(title)]
    for index in candidates.indices {
      let number = candidates.count > 1 ? "\(index + 1) " : ""
      if hasTypes { columns.append(.left("\(number)type")) }
      columns += [
        .right(hasTypes ? "bits" : "\(number)bits"), .right("rel. error"), .right("SQNR dB"),
      ]
      if candidates.count == 1 { columns += [.right("cosine"), .right("largest")] }
      columns.append(.right("to bound"))
    }
    let rows = lines.map { line in
      [line.name] + line.figures.flatMap { cells($0, hasTypes) }
    }
    return Table(columns: columns, rows: rows).text
  }

  private func cells(_ figure: (type: String?, distortion: Distortion)?, _ hasType: Bool)
    -> [String]
  {
    let count = 4 + (hasType ? 1 : 0) + (candidates.count == 1 ? 2 : 0)
    guard let (type, distortion) = figure else { return Array(repeating: "-", count: count) }
    var cells = hasType ? [type ?? "-"] : []
    cells += [
      fixed(distortion.bitsPerWeight, 3), errorText(distortion.relativeError),
      decibels(distortion.signalToNoise, of: distortion),
    ]
    if candidates.count == 1 {
      cells += [distortion.cosine.map { fixed($0, 6) } ?? "-", short(distortion.largestError)]
    }
    return cells + [distortion.boundDistance.map { fixed($0, 2) } ?? "-"]
  }

  private func decibels(_ value: Double?, of distortion: Distortion) -> String {
    value.map { fixed($0, 2) } ?? (distortion.count > 0 ? "exact" : "-")
  }
}

extension CandidateComparison {
  /// The tensors that could not be compared, one line each.
  fileprivate var gapLines: [String] {
    missing.map { "\(path): \($0) is missing" }
      + additional.map { "\(path): \($0) is not in the original" }
      + incomparable.map { "\(path): \($0)" }
  }
}
