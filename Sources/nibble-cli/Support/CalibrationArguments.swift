public import ArgumentParser
public import Nibble

/// The text that a model is quantized with, and how much time that may take.
struct CalibrationArguments: ParsableArguments {
  enum ActOrder: String, ExpressibleByArgument, CaseIterable {
    case `static`, group, none
  }

  @Option(
    help: ArgumentHelp(
      "Text to run through the model: a file, JSON lines, or a folder of these; or an importance matrix.",
      valueName: "text"))
  var calibration: String?

  @Option(
    help: ArgumentHelp(
      "How much time to spend: fast is one sweep; normal also makes up for the inputs that the quantized model sees, and refines; best refines longer.",
      valueName: "effort"))
  var effort: CalibratedQuantization.Effort = .normal

  @Option(
    help: ArgumentHelp(
      "With gptq: which columns are rounded first. static takes the most important first and leaves groups as they stand; group also forms groups in that order (desc_act), for schemes with groups; none goes by their places.",
      valueName: "order"))
  var actOrder: ActOrder = .static

  @Option(help: ArgumentHelp("The most windows of text to take.", valueName: "count"))
  var calibrationWindows = 64

  @Option(help: ArgumentHelp("Tokens of a window.", valueName: "tokens"))
  var calibrationContext = 512

  @Option(help: "Draw where in the text the windows begin, from this seed (default: at its start).")
  var seed: UInt64?

  @Option(
    help: ArgumentHelp(
      "Keep so many MB of hidden states in memory, and more of them in a temporary file beside the output (default: a quarter of the machine's memory).",
      valueName: "megabytes"))
  var maxMemory: Int?

  @Flag(
    help:
      "Start again, even where a run with the same arguments was interrupted; what it left beside the output is discarded."
  )
  var noResume = false

  func validate() throws {
    guard calibrationWindows >= 1 else {
      throw ValidationError("--calibration-windows must be at least 1.")
    }
    guard calibrationContext >= 2 else {
      throw ValidationError("--calibration-context must be at least 2.")
    }
    guard (0...1 << 30).contains(maxMemory ?? 0) else {
      throw ValidationError("--max-memory must be a number of megabytes.")
    }
  }

  func options() throws -> CalibratedQuantization {
    var options = CalibratedQuantization()
    if let calibration, calibration.hasSuffix(".gguf") || calibration.hasSuffix(".dat") {
      options.importance = try ImportanceMatrix.read(calibration)
    } else {
      options.text = try calibration.map { try CalibrationText.read($0) }
    }
    options.path = calibration
    options.windows.limit = calibrationWindows
    options.windows.tokenCount = calibrationContext
    options.windows.seed = seed
    options.effort = effort
    options.order = actOrder == .none ? .natural : .descendingImportance
    options.memoryLimit = maxMemory.map { $0 << 20 }
    options.isResuming = !noResume
    return options
  }
}

extension CalibratedQuantization.Effort: ExpressibleByArgument {}
