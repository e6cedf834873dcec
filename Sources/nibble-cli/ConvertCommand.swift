import ArgumentParser
import Nibble

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Write a model in another file format.",
    discussion: """
      MODEL is a Hugging Face folder, a .safetensors file or a .gguf file. Tensors keep their types where the format has \
      them; --type stores all matrices as f32, f16 or bf16. The output is reopened and compared with MODEL.

      Quantized matrices keep their codes, and are arranged as gptq, gptq_v2, awq, bitsandbytes, compressed-tensors, mlx, \
      nibble or gguf have it. Where the format has no such scheme, another that holds the same values is taken (exact), or the \
      nearest of as many bits (near, with the largest difference); else the conversion is refused. In a plain safetensors \
      folder they become f16.

      With --recover-grid each float matrix is compared with the grids that the format has: where a matrix decodes from \
      codes to the very numbers that MODEL stores, in all of its groups, it is stored as these codes, with the fewest bits \
      that hold it. Others stay what they are.

      Examples:
        nibble convert SmolLM2-135M -o smol-bf16.gguf --format gguf
        nibble convert smol-bf16.gguf -o SmolLM2-copy --format safetensors
        nibble convert smol-q8_0.gguf -o SmolLM2-f32 --format safetensors --type f32
        nibble convert smol-q4_0.gguf -o SmolLM2-gptq --format gptq
        nibble convert SmolLM2-awq -o SmolLM2-mlx --format mlx
        nibble convert decoded-model -o small --format nibble --recover-grid --dry-run
        nibble convert decoded-q4_0 -o small.gguf --format gguf --recover-grid --grid q4_0 --grid q6_k
      """)

  enum FloatType: String, ExpressibleByArgument, CaseIterable {
    case f32, f16, bf16

    var type: GGMLType {
      switch self {
      case .f32: .f32
      case .f16: .f16
      case .bf16: .bf16
      }
    }
  }

  @Argument(help: "The model to convert.")
  var model: String

  @Option(name: .shortAndLong, help: "The file or folder to write.")
  var output: String

  @Option(help: "The format to write.")
  var format: OutputFormat

  @Option(help: "The floating-point type of all matrices (default: as in MODEL).")
  var type: FloatType?

  @Flag(help: "Show what would become of each tensor, and write nothing.")
  var dryRun = false

  @Flag(
    help:
      "Decode tensors that the format cannot hold as they are, and quantize them again; that adds to their error."
  )
  var allowRequantize = false

  @Flag(
    help:
      "Store float matrices as codes that lie exactly on a grid, as after quantization-aware training or when another format was decoded."
  )
  var recoverGrid = false

  @Option(
    help: ArgumentHelp(
      "A type to look for with --recover-grid instead of all; can be repeated, the first that fits is taken.",
      valueName: "type"))
  var grid: [StoredType] = []

  @Flag(help: "Replace the output whatever it is.")
  var force = false

  @Flag(help: "Do not reopen and compare the output.")
  var noVerify = false

  @Flag(help: "Do not store in the output what it was made from, and how.")
  var noProvenance = false

  @OptionGroup var display: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    guard !recoverGrid || format != .safetensors else {
      throw ValidationError(
        "a plain folder holds no codes: say --format nibble, gguf or another with --recover-grid")
    }
    guard grid.isEmpty || recoverGrid else {
      throw ValidationError("--grid says what --recover-grid looks for")
    }
    for type in grid where type.scheme.map(\.hasColumnOrder) ?? true {
      throw ValidationError("\(type.name) is no grid that can be looked for")
    }
  }

  func run() throws {
    var job = ConvertJob(source: model, output: output, format: format)
    job.floatType = type?.type
    job.replacesOutput = force
    job.isVerifying = !noVerify
    job.recordsProvenance = !noProvenance
    job.allowsRequantizing = allowRequantize
    job.recoversGrids = recoverGrid
    job.grids = grid.compactMap(\.scheme)
    if dryRun {
      try threads.run(display) { try job.plan($0) }.show(display)
    } else {
      try threads.run(display) { try job.run($0) }.show(display)
    }
  }
}
