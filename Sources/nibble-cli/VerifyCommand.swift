import ArgumentParser
import Foundation
import Nibble

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Compare a model with the one that it was made from, tensor by tensor.",
    discussion: """
      Both models are decoded and compared under the same names, whatever their formats: every tensor must be there in \
      the same shape, hold no NaN or infinity, and be no farther from the original than its type explains.

      Examples:
        nibble verify smol-q4.gguf --against SmolLM2-135M
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

  @OptionGroup var display: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func run() throws {
    var job = VerifyJob(model: model, reference: against)
    job.maximumRelativeError = maxError
    let report = try threads.run(display) { try job.run($0) }
    if display.json {
      print(report.json.text(.indented(2)))
    } else if !display.quiet {
      print(table(report))
      print(
        report.isVerified
          ? "\(model): all \(report.tensors.count) tensors hold"
          : "\(model): \(report.failures.count) checks failed")
    }
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
        tensor.failure ?? "ok",
      ])
    }
    return table.text
  }
}
