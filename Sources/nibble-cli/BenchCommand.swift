import ArgumentParser
import Foundation
import Nibble

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time prompt processing and generation.",
    discussion: """
      Each repetition starts with an empty context, runs a prompt, then generates token by token. \
      One repetition warms up; the medians of the others are printed. Two models run in turn, and the \
      ratio is that of neighbouring runs, second to first.

      --profile tells where the time goes, and how near each kind of operation comes to what the machine \
      gives at most (Docs/Roofline.md).

      Examples:
        nibble bench model.gguf --prompt-tokens 512 --generate-tokens 64 --repeat 5
        nibble bench q4_0.gguf q4_k_m.gguf --prompt-lengths 1,32,512
        nibble bench model.gguf --context 4096 --cache-type q8_0 --profile
      """)

  @Argument(help: "A Hugging Face folder or a .gguf file, or two to compare.")
  var models: [String]

  @Option(help: "Tokens of the prompt.")
  var promptTokens = 512

  @Option(
    help: ArgumentHelp(
      "Several lengths of prompts, in tokens; generation follows the last.", valueName: "n,n,..."))
  var promptLengths: TokenCounts?

  @Option(help: "Tokens to generate.")
  var generateTokens = 64

  @Option(
    help: ArgumentHelp(
      "Tokens before the first generated one (default: those of the prompt).", valueName: "n"))
  var context: Int?

  @Option(help: "Repetitions that count.")
  var `repeat` = 5

  @Flag(help: "Tell where the time goes, with one more run.")
  var profile = false

  @Option(help: "Use no kernels beyond this instruction set (default: the best of this machine).")
  var instructionSet: InstructionSet?

  @OptionGroup var cache: CacheOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    guard promptTokens > 0, generateTokens > 0, `repeat` > 0 else {
      throw ValidationError("--prompt-tokens, --generate-tokens and --repeat must be at least 1.")
    }
    guard context ?? 0 >= 0 else { throw ValidationError("--context must not be negative.") }
    guard models.count <= 2 else { throw ValidationError("bench takes one model or two.") }
    guard !profile || models.count == 1 else {
      throw ValidationError("--profile takes one model.")
    }
    if let instructionSet, !instructionSet.isAvailable {
      let available = InstructionSet.names(InstructionSet.allCases.filter(\.isAvailable))
      throw ValidationError(
        "--instruction-set \(instructionSet.rawValue): this machine has \(available).")
    }
  }

  func run() throws {
    // Before anything chooses kernels.
    _ = instructionSet?.limitKernels()
    let pool = threads.makePool()
    let opened = try models.map { try OpenedBenchModel(path: $0, pool: pool) }
    let benchmark = SpeedBenchmark(options, pool: pool)
    let progress = output.progress()
    let rates = try benchmark.run(opened.map(\.model)) { completed, total in
      progress.report(
        JobProgress(phase: "timing", completed: completed, total: total, unit: .tokens))
    }
    progress.finish()
    var report = BenchReport(
      options: options, threadCount: pool.threadCount, instructionSet: instructionSet,
      models: opened, rates: rates)
    if profile, let model = opened.first?.model {
      let roofs = MachineRoofs(measuring: pool)
      let found = try benchmark.profile(model)
      report.roofs = roofs
      report.profiles = [
        ProfileReport(
          "prompt", found.prompt, tokenCount: options.promptCounts.last ?? 0, roofs: roofs),
        ProfileReport(
          "generation", found.generation, tokenCount: options.generateCount, roofs: roofs),
      ]
    }
    print(output.json ? report.json.text() : report.text)
  }

  private var options: SpeedBenchmark.Options {
    var options = SpeedBenchmark.Options()
    options.promptCounts = promptLengths?.counts ?? [promptTokens]
    options.generateCount = generateTokens
    options.depth = context
    options.repetitionCount = `repeat`
    options.cacheType = cache.cacheType
    return options
  }
}
