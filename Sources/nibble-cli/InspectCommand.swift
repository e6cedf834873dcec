import ArgumentParser
import Nibble

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what a model file holds: tensors, types, bits per weight, memory, outliers.",
    discussion: """
      MODEL is a Hugging Face folder, a .safetensors file or a .gguf file, of any architecture and any types; values that \
      cannot be decoded are listed with their bytes alone. Figures are over finite values; NaN and infinities are counted.

      A column (input feature) is an outlier when its norm or its largest magnitude is above the median of its tensor's \
      columns by more than six robust standard deviations and at least twice the median. Six is the threshold of \
      LLM.int8() for activations; weights have no unit of their own, so it is counted in deviations.

      Examples:
        nibble inspect SmolLM2-135M --html smol.html
        nibble inspect model-q4_k_m.gguf --context 4096 --json
        nibble inspect model.gguf --tensor blk.0.attn_q.weight
      """)

  @Argument(help: "The model to look into.")
  var model: String

  @Option(help: "Tokens of the key-value cache (default: as many as the model was trained for).")
  var context: Int?

  @Option(help: ArgumentHelp("Show this one tensor in detail.", valueName: "name"))
  var tensor: String?

  @Option(help: ArgumentHelp("Write a page with plots that needs no network.", valueName: "file"))
  var html: String?

  @OptionGroup var display: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    if let context, !(1...1 << 30).contains(context) {
      throw ValidationError("--context must be at least 1 and at most 2^30.")
    }
    if tensor != nil, html != nil {
      throw ValidationError("--html shows the whole model; leave out --tensor.")
    }
  }

  func run() throws {
    var options = ModelInspector.Options()
    options.contextCount = context
    options.tensor = tensor
    let inspection = try threads.run(display) { environment in
      try ModelInspector(environment).inspect(
        model, options: options, onProgress: environment.report("inspecting"))
    }
    if let html { try ReportPage(inspection).write(to: html) }
    for note in inspection.notes { display.note(note) }
    let shown = tensor.flatMap { name in inspection.tensors.first { $0.name == name } }
    if display.json {
      print((shown?.json ?? inspection.json).text(.indented(2)))
    } else if !display.quiet {
      print(shown.map(\.text) ?? inspection.text)
      if let html { print("\n\(html): written") }
    }
  }
}

extension JobEnvironment {
  /// Turns bytes done and bytes in all into reports of a phase.
  func report(_ phase: String) -> @Sendable (Int, Int) -> Void {
    { [progress] completed, total in
      progress.report(
        JobProgress(phase: phase, completed: completed, total: total, unit: .bytes))
    }
  }
}

extension ModelInspector {
  init(_ environment: JobEnvironment) {
    self.init(
      pool: WorkerPool(threadCount: environment.threadCount),
      cancellation: environment.cancellation)
  }
}

extension ModelComparer {
  init(_ environment: JobEnvironment) {
    self.init(
      pool: WorkerPool(threadCount: environment.threadCount),
      cancellation: environment.cancellation)
  }
}
