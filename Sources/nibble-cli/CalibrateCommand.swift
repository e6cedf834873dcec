import ArgumentParser
import Foundation
import Nibble

struct CalibrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calibrate",
    abstract: "Measure on a text which weights of a model matter most.",
    discussion: """
      Windows of text go through the model, all of them through one block before the next. The output holds, for each weight \
      matrix, how large its inputs are: an importance matrix in the GGUF format that llama.cpp reads.

      TEXT is a UTF-8 file, JSON lines (.jsonl) of {"text": ...} or {"messages": [...]}, or a folder of such files. Messages go \
      through the model's chat template. Without --text a short text that comes with Nibble is used.

      Example:
        nibble calibrate SmolLM2-135M --text calibration.txt -o importance.gguf --windows 64 --context 512
      """)

  @Argument(help: "A Hugging Face folder or a .gguf file.")
  var model: String

  @Option(help: "A text file, a .jsonl file, or a folder of these.")
  var text: String?

  @Option(name: .shortAndLong, help: "The file to write.")
  var output: String

  @Option(help: "The most windows to take.")
  var windows = 64

  @Option(help: "Tokens of a window.")
  var context = 512

  @Option(help: "Draw where in the text the windows begin, from this seed (default: at its start).")
  var seed: UInt64?

  @Option(
    help: ArgumentHelp(
      "Keep so many MB of hidden states in memory, and more of them in a temporary file beside the output (default: a quarter of the machine's memory).",
      valueName: "megabytes"))
  var maxMemory: Int?

  @Flag(help: "Replace the output even when it is something else.")
  var force = false

  @OptionGroup var display: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    guard windows >= 1 else { throw ValidationError("--windows must be at least 1.") }
    guard context >= 2 else { throw ValidationError("--context must be at least 2.") }
    guard (0...1 << 30).contains(maxMemory ?? 0) else {
      throw ValidationError("--max-memory must be a number of megabytes.")
    }
  }

  func run() throws {
    var job = CalibrateJob(source: model, output: output)
    job.text = try text.map { try CalibrationText.read($0) }
    job.windows.limit = windows
    job.windows.tokenCount = context
    job.windows.seed = seed
    job.memoryLimit = maxMemory.map { $0 * 1_000_000 }
    job.replacesAnyFile = force
    let report = try threads.run(display) { try job.run($0) }
    if display.json {
      print(report.json.text(.indented(2)))
    } else if !display.quiet {
      print(report.text)
    }
    for note in report.notes { display.note(note) }
    if let warning = report.starvationText { display.note(warning) }
  }
}

extension CalibrateReport {
  fileprivate var text: String {
    "\(output): importance of \(summary.layerCount) layers from \(summary.tokenCount) tokens in"
      + " \(summary.windowCount) windows, \(ProgressBar.duration(summary.seconds)), "
      + "at most \(byteText(peakMemoryByteCount)) of memory"
  }

  fileprivate var starvationText: String? {
    guard let first = starvedExperts.first else { return nil }
    return
      "\(starvedExperts.count) experts saw too little text, such as expert \(first.expert) of block"
      + " \(first.block) with \(first.tokenCount) tokens; give more windows"
  }
}
