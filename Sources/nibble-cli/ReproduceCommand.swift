import ArgumentParser
import Nibble

struct ReproduceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reproduce",
    abstract: "Make a model again from what its files say, and compare the bytes.",
    discussion: """
      MODEL is a folder or file that nibble quantize or nibble convert wrote. Its source and its calibration text are looked \
      for where they were, and must have the hashes that MODEL's files tell. The recipe is followed into a temporary place \
      beside MODEL, all files are compared byte for byte (but for a verdict that nibble verify --record stored), and what was \
      made is removed.

      Examples:
        nibble reproduce smol-q4_k_m.gguf
        nibble reproduce smol-gptq --source /models/SmolLM2-135M --calibration /texts/wiki.txt

      Exit codes: 0 identical, 1 a file cannot be read, 2 bad usage, 3 an input or the result differs.
      """)

  @Argument(help: "The model to make again.")
  var model: String

  @Option(help: ArgumentHelp("Where the source lies now.", valueName: "model"))
  var source: String?

  @Option(
    help: ArgumentHelp(
      "Where the calibration's text or importance matrix lies now.", valueName: "text"))
  var calibration: String?

  @OptionGroup var display: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func run() throws {
    var job = ReproduceJob(model: model)
    job.source = source
    job.calibration = calibration
    let report = try threads.run(display) { try job.run($0) }
    if display.json {
      print(report.json.text(.indented(2)))
    } else if !display.quiet {
      print(report.provenance.lines.first ?? "")
      print("\(model): \(report.isIdentical ? "identical" : "DIFFERS")")
    }
    for note in report.notes { display.note(note) }
    if let difference = report.difference {
      printError("nibble: \(model): \(difference)")
      throw ExitCode.checkFailed
    }
  }
}
