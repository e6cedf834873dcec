import ArgumentParser
import Foundation
import Nibble

extension TransferReport {
  /// Prints the report as the options ask, and ends with exit code 3 when the verification failed.
  func show(_ options: OutputOptions) throws {
    if options.json {
      print(json.text(.indented(2)))
    } else if !options.quiet {
      print(tensors.table)
      if let scalingText { print(scalingText) }
      if let calibrationText { print(calibrationText) }
      print(summary)
    }
    for note in notes { options.note(note) }
    for failure in failures { printError("nibble: \(output): \(failure)") }
    if isVerified == false { throw ExitCode.checkFailed }
  }

  /// What quantizing with text achieved; nil where none was used.
  private var calibrationText: String? {
    guard let calibration else { return nil }
    var table = Table(columns: [
      .left("layer"), .right("objective before"), .right("after"), .right("ratio"),
      .right("damping"), .right("seconds"),
    ])
    for layer in calibration.layers {
      let report = layer.report
      table.rows.append([
        layer.name + (layer.expert.map { " expert \($0)" } ?? ""),
        errorText(report.objectiveBefore), errorText(report.objectiveAfter),
        String(format: "%.3f", report.ratio), String(format: "%.3g", report.damping),
        String(format: "%.2f", layer.seconds),
      ])
    }
    let summary = calibration.summary
    return table.text
      + String(
        format: "\n%d tokens in %d windows, objective %.3f of round-to-nearest, %@",
        summary.tokenCount, summary.windowCount, calibration.objectiveRatio,
        ProgressBar.duration(summary.seconds))
  }

  /// What scaling channels achieved; nil where none were.
  private var scalingText: String? {
    guard let scaling else { return nil }
    var table = Table(columns: [
      .left("scaled against"), .right("power"), .right("loss before"), .right("after"),
      .right("ratio"),
    ])
    for group in scaling.groups {
      table.rows.append([
        group.producer + (group.expert.map { " expert \($0)" } ?? ""),
        String(format: "%.2f", group.ratio), errorText(group.lossBefore),
        errorText(group.lossAfter),
        String(format: "%.3f", group.lossBefore > 0 ? group.lossAfter / group.lossBefore : 1),
      ])
    }
    return table.text
      + String(
        format: "\nchannels scaled, loss %.3f of that without, %@", scaling.lossRatio,
        ProgressBar.duration(scaling.summary.seconds))
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

extension [TensorReport] {
  /// Prints what would be written.
  func show(_ options: OutputOptions) throws {
    if options.json {
      print(JSONValue.array(map(\.json)).text(.indented(2)))
    } else if !options.quiet {
      print(table)
    }
  }

  fileprivate var table: String {
    var table = Table(columns: [
      .left("tensor"), .right("shape"), .left("from"), .left("to"), .right("bits"),
      .right("error"), .left("reason"),
    ])
    for tensor in self {
      table.rows.append([
        tensor.name, tensor.shape.map(String.init).joined(separator: "×"), tensor.sourceType,
        tensor.type, String(format: "%.4g", tensor.bitsPerWeight), errorText(tensor.relativeError),
        tensor.reason ?? "",
      ])
    }
    return table.text
  }
}
