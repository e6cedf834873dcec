import ArgumentParser
import Foundation
import Nibble

extension TransferReport {
  /// Prints the report as the options ask, and ends with exit code 3 when the verification failed.
  func show(_ options: OutputOptions) throws {
    if options.json {
      print(json.text(.indented(2)))
    } else if !options.quiet {
      print(table)
      print(summary)
    }
    for note in notes { options.note(note) }
    for failure in failures { printError("nibble: \(output): \(failure)") }
    if isVerified == false { throw ExitCode.checkFailed }
  }

  private var table: String {
    var table = Table(columns: [
      .left("tensor"), .right("shape"), .left("from"), .left("to"), .right("bits"),
      .right("error"), .left("reason"),
    ])
    for tensor in tensors {
      table.rows.append([
        tensor.name, tensor.shape.map(String.init).joined(separator: "×"), tensor.sourceType,
        tensor.type, String(format: "%.4g", tensor.bitsPerWeight), errorText(tensor.relativeError),
        tensor.reason ?? "",
      ])
    }
    return table.text
  }

  private var summary: String {
    let check =
      switch isVerified {
      case true: "verified in \(ProgressBar.duration(verificationSeconds))"
      case false: "NOT VERIFIED: \(failures.count) checks failed"
      default: "not verified"
      }
    return "\(output): \(byteText(outputByteCount)), "
      + String(format: "%.3f bits per weight, ", bitsPerWeight)
      + "written in \(ProgressBar.duration(seconds)), \(check), "
      + "at most \(byteText(peakMemoryByteCount)) of memory"
  }
}

/// A relative error with three digits; "0" when exact, "-" when unknown.
func errorText(_ error: Double?) -> String {
  guard let error else { return "-" }
  return error == 0 ? "0" : String(format: "%.2e", error)
}
