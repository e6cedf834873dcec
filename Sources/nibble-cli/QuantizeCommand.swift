import ArgumentParser
import Nibble

struct QuantizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize",
    abstract: "Store a model in fewer bits, and verify the file.",
    discussion: """
      MODEL is a Hugging Face folder, a .safetensors file or a .gguf file. The output is a GGUF file that llama.cpp \
      loads; it appears under its name only when it is whole, and is then reopened, decoded and compared with MODEL.

      TYPE is one of: \(QuantizationMix.allCases.map(\.rawValue).joined(separator: " ")), or q3_k, q4_k, q5_k for the \
      medium mixes.

      Examples:
        nibble quantize SmolLM2-135M -o smol.gguf --type q4_k_m
        nibble quantize base.gguf -o small.gguf --type q4_0 --output-type q8_0
        nibble quantize model -o out.gguf --type q4_k_m --override 'ffn_down=q6_k' --keep 'blk\\.0\\.'

      Exit codes: 0 done and verified, 1 the work failed, 2 bad usage, 3 the file is not what was meant.
      """)

  enum Method: String, ExpressibleByArgument, CaseIterable { case rtn }
  enum Format: String, ExpressibleByArgument, CaseIterable { case gguf }

  @Argument(help: "The model to quantize.")
  var model: String

  @Option(name: .shortAndLong, help: "The file to write.")
  var output: String

  @Option(help: ArgumentHelp("The type or mix of types.", valueName: "type"))
  var type: QuantizationMix

  @Option(help: "How codes are found; rtn rounds each block's weights to the nearest codes.")
  var method: Method = .rtn

  @Option(help: "The format of the output.")
  var format: Format = .gguf

  @Flag(help: "Give every matrix the base type, with none of the mix's exceptions.")
  var pure = false

  @Option(help: ArgumentHelp("The type of the output matrix.", valueName: "type"))
  var outputType: GGMLType?

  @Option(help: ArgumentHelp("The type of the token embeddings.", valueName: "type"))
  var embeddingType: GGMLType?

  @Option(
    help: ArgumentHelp(
      "The type of tensors whose GGUF name matches the regular expression; can be repeated.",
      valueName: "regex=type"))
  var override: [TypeSelection.Override] = []

  @Option(
    help: ArgumentHelp(
      "Leave tensors as they are whose GGUF name matches; can be repeated.", valueName: "regex"))
  var keep: [String] = []

  @Flag(help: "Allow quantizing what is quantized already.")
  var allowRequantize = false

  @Flag(help: "Replace the output even when it is no GGUF file.")
  var force = false

  @Flag(help: "Do not reopen and compare the output.")
  var noVerify = false

  @OptionGroup var display: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func run() throws {
    var selection = TypeSelection(mix: type)
    selection.isPure = pure
    selection.outputType = outputType
    selection.embeddingType = embeddingType
    selection.overrides = override
    selection.keepPatterns = keep
    var job = QuantizeJob(source: model, output: output, selection: selection)
    job.allowsRequantizing = allowRequantize
    job.replacesAnyFile = force
    job.isVerifying = !noVerify
    try threads.run(display) { try job.run($0) }.show(display)
  }
}
