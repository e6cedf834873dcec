import ArgumentParser
import Foundation
import Nibble

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Compare a model with the one that it was made from: tensors, coverage, predictions.",
    discussion: """
      Both models are decoded and compared under the same names, whatever their formats: every tensor must be there in \
      the same shape, hold no NaN or infinity, and be no farther from the original than its type explains. Where the files say \
      that channels were scaled (--transform awq), tensors are compared up to the factors that they show.

      Then it is told how much of the model is quantized, what is not and why, and what both models predict on a short text \
      that comes with Nibble: the divergence of their predictions must be finite and no larger than half of ln(vocabulary), \
      which only a broken model exceeds (--max-divergence asks for less).

      Examples:
        nibble verify smol-q4.gguf --against SmolLM2-135M
        nibble verify smol-q4.gguf --against SmolLM2-135M --strict --record
        nibble verify copy.gguf --against base.gguf --max-error 0

      Exit codes: 0 all checks hold, 1 a file cannot be read, 2 bad usage, 3 a check failed.
      """)

  @Argument(help: "The model to judge.")
  var model: String

  @Option(help: ArgumentHelp("The model that it was made from.", valueName: "model"))
  var against: String

  @Option(
    help: ArgumentHelp(
      "The most relative error of any tensor (default: judged by the tensor's type).",
      valueName: "error"))
  var maxError: Double?

  @Flag(
    help:
      "Also fail where the recipe wanted a matrix quantized and the file holds another type, and where the files do not say how they were made."
  )
  var strict = false

  @Option(
    help: ArgumentHelp(
      "Tokens to run through both models, 0 for none (default: 64, where both can be run).",
      valueName: "tokens"))
  var logits: Int?

  @Option(
    help: ArgumentHelp(
      "The most mean divergence of the predictions (default: half of ln(vocabulary)).",
      valueName: "nats"))
  var maxDivergence: Double?

  @Flag(help: "Store what is found in the model's files; nibble inspect shows it.")
  var record = false

  @OptionGroup var display: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    if let logits, logits != 0, !(4...1 << 20).contains(logits) {
      throw ValidationError("--logits must be 0 or at least 4.")
    }
    if let maxDivergence, !(maxDivergence >= 0) {
      throw ValidationError("--max-divergence must not be negative.")
    }
  }

  func run() throws {
    var job = VerifyJob(model: model, reference: against)
    job.maximumRelativeError = maxError
    job.isStrict = strict
    job.logitTokenCount = logits
    job.maximumDivergence = maxDivergence
    job.recordsVerdict = record
    let report = try threads.run(display) { try job.run($0) }
    if display.json {
      print(report.json.text(.indented(2)))
    } else if !display.quiet {
      print(table(report))
      for line in foot(report) { print(line) }
      print(
        report.isVerified
          ? "\(model): all \(report.tensors.count) tensors hold"
          : "\(model): \(report.failures.count) checks failed")
    }
    for note in report.notes { display.note(note) }
    for failure in report.failures { printError("nibble: \(model): \(failure)") }
    if !report.isVerified { throw ExitCode.checkFailed }
  }

  private func table(_ report: VerifyReport) -> String {
    var table = Table(columns: [
      .left("tensor"), .right("shape"), .left("original"), .left("type"), .right("error"),
      .left("check"),
    ])
    for tensor in report.tensors {
      table.rows.append([
        tensor.name, tensor.shape.map(String.init).joined(separator: "×"),
        tensor.referenceType.name, tensor.type.name, errorText(tensor.relativeError),
        tensor.failure ?? (tensor.isScaled ? "ok, scaled" : "ok"),
      ])
    }
    return table.text
  }

  /// What holds for the whole model, a line each.
  private func foot(_ report: VerifyReport) -> [String] {
    var lines: [String] = []
    if let audit = report.audit {
      lines.append(
        "quantized: \(percent(audit.quantizedParameterShare)) of \(countText(audit.parameterCount)) parameters, "
          + "\(percent(audit.quantizedByteShare)) of \(byteText(audit.byteCount)), "
          + "\(fixed(audit.bitsPerWeight, 3)) bits per weight")
      lines += plainLines(audit)
      lines += audit.fallbackLines.map { "  " + $0 }
    }
    if let logits = report.logits {
      lines.append(
        "predictions over \(logits.scoredTokenCount) tokens: divergence \(short(logits.divergence)) nats, at most "
          + "\(short(logits.largestDivergence)), same top token \(percent(logits.sameTopShare))")
    }
    lines += report.provenance?.lines ?? ["the files do not say how they were made"]
    lines.append("SHA-256 of all tensors: \(report.hash)")
    return lines
  }

  /// One line for each reason why tensors are not quantized.
  private func plainLines(_ audit: CoverageAudit) -> [String] {
    var reasons: [String] = []
    var groups: [String: [CoverageAudit.Plain]] = [:]
    for tensor in audit.plain {
      if groups[tensor.reason] == nil { reasons.append(tensor.reason) }
      groups[tensor.reason, default: []].append(tensor)
    }
    return reasons.map { reason in
      let tensors = groups[reason] ?? []
      let count = tensors.reduce(0) { $0 + $1.parameterCount }
      let first = tensors.first?.name ?? ""
      return
        "  not quantized: \(tensors.count == 1 ? first : "\(tensors.count) tensors such as \(first)"), "
        + "\(countText(count)) parameters: \(reason)"
    }
  }
}
